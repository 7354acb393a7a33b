#include "operation.h"

namespace teletrain {
namespace {

struct Shapes {
  Shape inputs, kernel, recurrentKernel, outputs, gates;
  int64_t units;
  PictureSize size;

  Shapes(const Call& call, const Attributes& attributes)
      : inputs(call.shape(0, 3)), kernel(call.shape(1, 2)) {
    const int64_t columns = attributes[0];
    if (columns < 1 || inputs[0] % columns != 0) {
      call.refuse(0, "has " + std::to_string(inputs[0]) + " pixels, no whole lines of " +
                         std::to_string(columns));
    }
    if (kernel[1] % 4 != 0) call.refuse(1, "has columns that four gates cannot share");
    units = kernel[1] / 4;
    kernel[0] = inputs[2];
    recurrentKernel = {2 * units, 4 * units};
    outputs = {inputs[0], inputs[1], units};
    gates = {inputs[0], inputs[1], 4 * units};
    size = {static_cast<int>(inputs[0] / columns), static_cast<int>(columns),
            static_cast<int>(inputs[1]), static_cast<int>(inputs[2]), static_cast<int>(units)};
  }
};

void forward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes);
  const bool keep = attributes[2] != 0;
  DiagonalLstmForward arguments{};
  arguments.size = shapes.size;
  arguments.fromRight = attributes[1] != 0;
  arguments.inputs = call.input(0, shapes.inputs);
  arguments.kernel = call.input(1, shapes.kernel);
  arguments.recurrentKernel = call.input(2, shapes.recurrentKernel);
  arguments.bias = call.input(3, {4 * shapes.units});
  arguments.initialOutput = call.input(4, {shapes.units});
  arguments.initialCell = call.input(5, {shapes.units});
  arguments.outputs = call.output(0, shapes.outputs);
  float* const gates = call.output(1, keep ? shapes.gates : Shape{0});
  float* const cells = call.output(2, keep ? shapes.outputs : Shape{0});
  arguments.gates = keep ? gates : nullptr;
  arguments.cells = keep ? cells : nullptr;
  instructionSetFor(shapes.size.units).diagonalLstmForward(arguments, call);
}

void backward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes);
  DiagonalLstmBackward arguments{};
  arguments.size = shapes.size;
  arguments.fromRight = attributes[1] != 0;
  arguments.inputs = call.input(0, shapes.inputs);
  arguments.kernel = call.input(1, shapes.kernel);
  arguments.recurrentKernel = call.input(2, shapes.recurrentKernel);
  arguments.initialOutput = call.input(3, {shapes.units});
  arguments.initialCell = call.input(4, {shapes.units});
  arguments.outputs = call.input(5, shapes.outputs);
  arguments.gates = call.input(6, shapes.gates);
  arguments.cells = call.input(7, shapes.outputs);
  arguments.outputsGradient = call.input(8, shapes.outputs);
  arguments.inputsGradient = call.output(0, shapes.inputs);
  arguments.kernelGradient = call.output(1, shapes.kernel);
  arguments.recurrentKernelGradient = call.output(2, shapes.recurrentKernel);
  arguments.biasGradient = call.output(3, {4 * shapes.units});
  arguments.initialOutputGradient = call.output(4, {shapes.units});
  arguments.initialCellGradient = call.output(5, {shapes.units});
  instructionSetFor(shapes.size.units).diagonalLstmBackward(arguments, call);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation(
      {"TeletrainDiagonalLSTM",
       {"inputs", "kernel", "recurrent_kernel", "bias", "initial_output", "initial_cell"},
       {"outputs", "gates", "cells"},
       {"columns: int", "from_right: bool", "keep: bool"}},
      forward);
  registerOperation(
      {"TeletrainDiagonalLSTMGrad",
       {"inputs", "kernel", "recurrent_kernel", "initial_output", "initial_cell", "outputs",
        "gates", "cells", "outputs_gradient"},
       {"inputs_gradient", "kernel_gradient", "recurrent_kernel_gradient", "bias_gradient",
        "initial_output_gradient", "initial_cell_gradient"},
       {"columns: int", "from_right: bool"}},
      backward);
  return true;
}();

}  // namespace
}  // namespace teletrain
