#include "operation.h"

namespace teletrain {
namespace {

struct Shapes {
  Shape inputs, kernel, recurrentKernel, bias, outputs, state, gates;
  bool resetAfter;
  SequenceSize size;

  Shapes(const Call& call, const Attributes& attributes)
      : inputs(call.shape(0, 3)), kernel(call.shape(1, 2)), resetAfter(attributes[0] != 0) {
    if (kernel[1] % 3 != 0) call.refuse(1, "has columns that three gates cannot share");
    const int64_t units = kernel[1] / 3;
    kernel[0] = inputs[2];
    recurrentKernel = {units, 3 * units};
    bias = resetAfter ? Shape{2, 3 * units} : Shape{3 * units};
    outputs = {inputs[0], inputs[1], units};
    state = {inputs[1], units};
    gates = {inputs[0], inputs[1], 4 * units};
    size = {static_cast<int>(inputs[0]), static_cast<int>(inputs[1]), static_cast<int>(inputs[2]),
            static_cast<int>(units)};
  }
};

void forward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes);
  const bool keep = attributes[1] != 0;
  GruForward arguments{};
  arguments.size = shapes.size;
  arguments.resetAfter = shapes.resetAfter;
  arguments.inputs = call.input(0, shapes.inputs);
  arguments.kernel = call.input(1, shapes.kernel);
  arguments.recurrentKernel = call.input(2, shapes.recurrentKernel);
  arguments.bias = call.input(3, shapes.bias);
  arguments.initialState = call.input(4, shapes.state);
  arguments.outputs = call.output(0, shapes.outputs);
  float* const lastState = call.output(1, shapes.state);
  float* const gates = call.output(2, keep ? shapes.gates : Shape{0});
  arguments.gates = keep ? gates : nullptr;
  instructionSetFor(shapes.size.units).gruForward(arguments, call);
  copyLastStep(arguments.outputs, arguments.size, lastState);
}

void backward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes);
  GruBackward arguments{};
  arguments.size = shapes.size;
  arguments.resetAfter = shapes.resetAfter;
  arguments.inputs = call.input(0, shapes.inputs);
  arguments.kernel = call.input(1, shapes.kernel);
  arguments.recurrentKernel = call.input(2, shapes.recurrentKernel);
  arguments.initialState = call.input(3, shapes.state);
  arguments.outputs = call.input(4, shapes.outputs);
  arguments.gates = call.input(5, shapes.gates);
  arguments.outputsGradient = call.optionalInput(6, shapes.outputs);
  arguments.lastStateGradient = call.optionalInput(7, shapes.state);
  arguments.inputsGradient = call.output(0, shapes.inputs);
  arguments.kernelGradient = call.output(1, shapes.kernel);
  arguments.recurrentKernelGradient = call.output(2, shapes.recurrentKernel);
  arguments.biasGradient = call.output(3, shapes.bias);
  arguments.initialStateGradient = call.output(4, shapes.state);
  instructionSetFor(shapes.size.units).gruBackward(arguments, call);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation({"TeletrainGRU",
                     {"inputs", "kernel", "recurrent_kernel", "bias", "initial_state"},
                     {"outputs", "last_state", "gates"},
                     {"reset_after: bool", "keep: bool"}},
                    forward);
  registerOperation(
      {"TeletrainGRUGrad",
       {"inputs", "kernel", "recurrent_kernel", "initial_state", "outputs", "gates",
        "outputs_gradient", "last_state_gradient"},
       {"inputs_gradient", "kernel_gradient", "recurrent_kernel_gradient", "bias_gradient",
        "initial_state_gradient"},
       {"reset_after: bool"}},
      backward);
  return true;
}();

}  // namespace
}  // namespace teletrain
