#include "operation.h"

namespace teletrain {
namespace {

struct Shapes {
  Shape inputs, kernel, outputs;
  PictureSize size;
  int kernelSize, taps;

  Shapes(const Call& call, const Attributes& attributes)
      : inputs(call.shape(0, 3)), kernel(call.shape(1, 4)) {
    const int64_t columns = attributes[0];
    if (columns < 1 || inputs[0] % columns != 0) {
      call.refuse(0, "has " + std::to_string(inputs[0]) + " pixels, no whole lines of " +
                         std::to_string(columns));
    }
    if (kernel[0] % 2 == 0) call.refuse(1, "has an even size, and so no centre");
    kernel[1] = kernel[0];
    kernel[2] = inputs[2];
    // Before its size is squared: a shape that memory was found for, and that an int counts.
    call.input(1, kernel);
    if (kernel[0] * kernel[0] > INT32_MAX) {
      call.refuse(1, "is too large, of the size " + std::to_string(kernel[0]));
    }
    outputs = {inputs[0], inputs[1], kernel[3]};
    size = {static_cast<int>(inputs[0] / columns), static_cast<int>(columns),
            static_cast<int>(inputs[1]), static_cast<int>(inputs[2]), static_cast<int>(kernel[3])};
    kernelSize = static_cast<int>(kernel[0]);
    taps = kernelSize * kernelSize / 2 + (attributes[1] != 0 ? 1 : 0);
  }
};

void forward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes);
  MaskedConvolutionForward arguments{};
  arguments.size = shapes.size;
  arguments.kernelSize = shapes.kernelSize;
  arguments.taps = shapes.taps;
  arguments.inputs = call.input(0, shapes.inputs);
  arguments.kernel = call.input(1, shapes.kernel);
  arguments.bias = call.input(2, {shapes.kernel[3]});
  arguments.outputs = call.output(0, shapes.outputs);
  instructionSetFor(shapes.size.units).maskedConvolutionForward(arguments, call);
}

void backward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes);
  const bool wanted = attributes[2] != 0;
  MaskedConvolutionBackward arguments{};
  arguments.size = shapes.size;
  arguments.kernelSize = shapes.kernelSize;
  arguments.taps = shapes.taps;
  arguments.inputs = call.input(0, shapes.inputs);
  arguments.kernel = call.input(1, shapes.kernel);
  arguments.outputsGradient = call.input(2, shapes.outputs);
  float* const inputsGradient = call.output(0, wanted ? shapes.inputs : Shape{0});
  arguments.inputsGradient = wanted ? inputsGradient : nullptr;
  arguments.kernelGradient = call.output(1, shapes.kernel);
  arguments.biasGradient = call.output(2, {shapes.kernel[3]});
  instructionSetFor(shapes.size.units).maskedConvolutionBackward(arguments, call);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation({"TeletrainMaskedConvolution",
                     {"inputs", "kernel", "bias"},
                     {"outputs"},
                     {"columns: int", "sees_itself: bool"}},
                    forward);
  registerOperation({"TeletrainMaskedConvolutionGrad",
                     {"inputs", "kernel", "outputs_gradient"},
                     {"inputs_gradient", "kernel_gradient", "bias_gradient"},
                     {"columns: int", "sees_itself: bool", "to_inputs: bool"}},
                    backward);
  return true;
}();

}  // namespace
}  // namespace teletrain
