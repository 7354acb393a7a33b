#include "operation.h"

namespace teletrain {
namespace {

// How many arguments one direction’s weights are, going forward and back.
constexpr int forwardWeights = 5, backwardWeights = 4;

struct Shapes {
  Shape inputs, kernel, recurrentKernel, outputs, gates;
  int64_t units;
  PictureSize size;

  // `kernelAt`: the argument that is the first direction's kernel.
  Shapes(const Call& call, int64_t columns, int kernelAt)
      : inputs(call.shape(0, 3)), kernel(call.shape(kernelAt, 2)) {
    if (columns < 1 || inputs[0] % columns != 0) {
      call.refuse(0, "has " + std::to_string(inputs[0]) + " pixels, no whole lines of " +
                         std::to_string(columns));
    }
    if (kernel[1] % 4 != 0) call.refuse(kernelAt, "has columns that four gates cannot share");
    units = kernel[1] / 4;
    kernel[0] = inputs[2];
    recurrentKernel = {2 * units, 4 * units};
    outputs = {inputs[0], inputs[1], units};
    gates = {inputs[0], inputs[1], 4 * units};
    size = {static_cast<int>(inputs[0] / columns), static_cast<int>(columns),
            static_cast<int>(inputs[1]), static_cast<int>(inputs[2]), static_cast<int>(units)};
  }
};

DiagonalLstmForward forwardArguments(Call& call, const Shapes& shapes, int weightsAt) {
  DiagonalLstmForward arguments{};
  arguments.size = shapes.size;
  arguments.inputs = call.input(0, shapes.inputs);
  arguments.kernel = call.input(weightsAt, shapes.kernel);
  arguments.recurrentKernel = call.input(weightsAt + 1, shapes.recurrentKernel);
  arguments.bias = call.input(weightsAt + 2, {4 * shapes.units});
  arguments.initialOutput = call.input(weightsAt + 3, {shapes.units});
  arguments.initialCell = call.input(weightsAt + 4, {shapes.units});
  return arguments;
}

// Outputs, gates and cells as the operation's outputs from `at` on, the last two empty unless `keep`.
void makeOutputs(Call& call, const Shapes& shapes, bool keep, int at, DiagonalLstmForward& to) {
  to.outputs = call.output(at, shapes.outputs);
  float* const gates = call.output(at + 1, keep ? shapes.gates : Shape{0});
  float* const cells = call.output(at + 2, keep ? shapes.outputs : Shape{0});
  to.gates = keep ? gates : nullptr;
  to.cells = keep ? cells : nullptr;
}

DiagonalLstmBackward backwardArguments(Call& call, const Shapes& shapes, int weightsAt,
                                       int outputsAt, int gradientAt) {
  DiagonalLstmBackward arguments{};
  arguments.size = shapes.size;
  arguments.inputs = call.input(0, shapes.inputs);
  arguments.kernel = call.input(weightsAt, shapes.kernel);
  arguments.recurrentKernel = call.input(weightsAt + 1, shapes.recurrentKernel);
  arguments.initialOutput = call.input(weightsAt + 2, {shapes.units});
  arguments.initialCell = call.input(weightsAt + 3, {shapes.units});
  arguments.outputs = call.input(outputsAt, shapes.outputs);
  arguments.gates = call.input(outputsAt + 1, shapes.gates);
  arguments.cells = call.input(outputsAt + 2, shapes.outputs);
  arguments.outputsGradient = call.input(gradientAt, shapes.outputs);
  return arguments;
}

void makeGradients(Call& call, const Shapes& shapes, int at, DiagonalLstmBackward& to) {
  to.kernelGradient = call.output(at, shapes.kernel);
  to.recurrentKernelGradient = call.output(at + 1, shapes.recurrentKernel);
  to.biasGradient = call.output(at + 2, {4 * shapes.units});
  to.initialOutputGradient = call.output(at + 3, {shapes.units});
  to.initialCellGradient = call.output(at + 4, {shapes.units});
}

void forward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes[0], 1);
  DiagonalLstmForward direction = forwardArguments(call, shapes, 1);
  direction.fromRight = attributes[1] != 0;
  makeOutputs(call, shapes, attributes[2] != 0, 0, direction);
  instructionSetFor(shapes.size.units).diagonalLstmForward(&direction, 1, call);
}

void backward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes[0], 1);
  DiagonalLstmBackward direction = backwardArguments(call, shapes, 1, 5, 8);
  direction.fromRight = attributes[1] != 0;
  const DiagonalInputsGradient inputs{nullptr, call.output(0, shapes.inputs)};
  makeGradients(call, shapes, 1, direction);
  instructionSetFor(shapes.size.units).diagonalLstmBackward(&direction, 1, inputs, call);
}

// Both directions: `left` from the left, and `right` from the right.
void bothForward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes[0], 1);
  DiagonalLstmForward directions[] = {forwardArguments(call, shapes, 1),
                                      forwardArguments(call, shapes, 1 + forwardWeights)};
  directions[1].fromRight = true;
  for (int d = 0; d < 2; d++) {
    makeOutputs(call, shapes, attributes[1] != 0, 3 * d, directions[d]);
  }
  instructionSetFor(shapes.size.units).diagonalLstmForward(directions, 2, call);
}

void bothBackward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call, attributes[0], 1);
  const int outputsAt = 1 + 2 * backwardWeights, gradientAt = outputsAt + 6;
  DiagonalLstmBackward directions[] = {
      backwardArguments(call, shapes, 1, outputsAt, gradientAt),
      backwardArguments(call, shapes, 1 + backwardWeights, outputsAt + 3, gradientAt)};
  directions[1].fromRight = true;
  directions[1].seenFrom = shapes.size.columns;
  const float* const added = call.input(gradientAt + 1, shapes.inputs);
  const DiagonalInputsGradient inputs{added, call.output(0, shapes.inputs)};
  for (int d = 0; d < 2; d++) makeGradients(call, shapes, 1 + 5 * d, directions[d]);
  instructionSetFor(shapes.size.units).diagonalLstmBackward(directions, 2, inputs, call);
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
  registerOperation(
      {"TeletrainDiagonalBiLSTM",
       {"inputs", "left_kernel", "left_recurrent_kernel", "left_bias", "left_initial_output",
        "left_initial_cell", "right_kernel", "right_recurrent_kernel", "right_bias",
        "right_initial_output", "right_initial_cell"},
       {"left_outputs", "left_gates", "left_cells", "right_outputs", "right_gates", "right_cells"},
       {"columns: int", "keep: bool"}},
      bothForward);
  // outputs_gradient is that of the left outputs plus the right ones moved down by a line of pixels;
  // added_gradient is added to that of the inputs.
  registerOperation(
      {"TeletrainDiagonalBiLSTMGrad",
       {"inputs", "left_kernel", "left_recurrent_kernel", "left_initial_output",
        "left_initial_cell", "right_kernel", "right_recurrent_kernel", "right_initial_output",
        "right_initial_cell", "left_outputs", "left_gates", "left_cells", "right_outputs",
        "right_gates", "right_cells", "outputs_gradient", "added_gradient"},
       {"inputs_gradient", "left_kernel_gradient", "left_recurrent_kernel_gradient",
        "left_bias_gradient", "left_initial_output_gradient", "left_initial_cell_gradient",
        "right_kernel_gradient", "right_recurrent_kernel_gradient", "right_bias_gradient",
        "right_initial_output_gradient", "right_initial_cell_gradient"},
       {"columns: int"}},
      bothBackward);
  return true;
}();

}  // namespace
}  // namespace teletrain
