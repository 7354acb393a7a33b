#include "operation.h"

namespace teletrain {
namespace {

// The second input and the residual are there or not by an attribute; an argument that is not is
// given any tensor and never looked at.
struct Shapes {
  Shape inputs, kernel, outputs;
  DenseSize size;
  bool second, residual;

  Shapes(const Call& call, const Attributes& attributes)
      : inputs(call.shape(0, 3)),
        kernel(call.shape(2, 2)),
        second(attributes[1] >= 0),
        residual(attributes[2] != 0) {
    const int64_t rows = inputs[0] * inputs[1], before = second ? attributes[1] : 0;
    if (rows > INT32_MAX / 2) call.refuse(0, "has too many rows, " + std::to_string(rows));
    if (before > inputs[0]) {
      call.refuse(1, "is " + std::to_string(before) + " cells before one of " +
                         std::to_string(inputs[0]));
    }
    kernel[0] = inputs[2];
    outputs = {inputs[0], inputs[1], kernel[1]};
    size = {static_cast<int>(rows), static_cast<int>(inputs[2]), static_cast<int>(kernel[1]),
            attributes[0] != 0, static_cast<int>(before * inputs[1])};
  }
};

void forward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes);
  DenseForward arguments{};
  arguments.size = shapes.size;
  arguments.inputs = call.input(0, shapes.inputs);
  if (shapes.second) arguments.second = call.input(1, shapes.inputs);
  arguments.kernel = call.input(2, shapes.kernel);
  arguments.bias = call.input(3, {shapes.kernel[1]});
  if (shapes.residual) arguments.residual = call.input(4, shapes.outputs);
  arguments.outputs = call.output(0, shapes.outputs);
  instructionSetFor(shapes.size.units).denseForward(arguments, call);
}

void backward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, {attributes[0], attributes[1], 0});
  DenseBackward arguments{};
  arguments.size = shapes.size;
  arguments.inputs = call.input(0, shapes.inputs);
  if (shapes.second) arguments.second = call.input(1, shapes.inputs);
  arguments.kernel = call.input(2, shapes.kernel);
  arguments.outputsGradient = call.input(3, shapes.outputs);
  arguments.inputsGradient = call.output(0, shapes.inputs);
  arguments.kernelGradient = call.output(1, shapes.kernel);
  arguments.biasGradient = call.output(2, {shapes.kernel[1]});
  instructionSetFor(shapes.size.units).denseBackward(arguments, call);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation({"TeletrainDense",
                     {"inputs", "second", "kernel", "bias", "residual"},
                     {"outputs"},
                     {"relu: bool", "second_cells_before: int", "adds_residual: bool"}},
                    forward);
  registerOperation({"TeletrainDenseGrad",
                     {"inputs", "second", "kernel", "outputs_gradient"},
                     {"inputs_gradient", "kernel_gradient", "bias_gradient"},
                     {"relu: bool", "second_cells_before: int"}},
                    backward);
  return true;
}();

}  // namespace
}  // namespace teletrain
