#include "operation.h"

namespace teletrain {
namespace {

struct Shapes {
  Shape inputs, kernel, outputs, state, gates;
  int64_t units;
  SequenceSize size;

  Shapes(const Call& call) : inputs(call.shape(0, 3)), kernel(call.shape(1, 2)) {
    if (kernel[1] % 4 != 0) call.refuse(1, "has columns that four gates cannot share");
    units = kernel[1] / 4;
    kernel[0] = inputs[2];
    outputs = {inputs[0], inputs[1], units};
    state = {inputs[1], units};
    gates = {inputs[0], inputs[1], 4 * units};
    size = {static_cast<int>(inputs[0]), static_cast<int>(inputs[1]), static_cast<int>(inputs[2]),
            static_cast<int>(units)};
  }
};

void forward(Call& call, const Attributes& attributes) {
  const Shapes shapes(call);
  const bool keep = attributes[0] != 0;
  LstmForward arguments{};
  arguments.size = shapes.size;
  arguments.inputs = call.input(0, shapes.inputs);
  arguments.kernel = call.input(1, shapes.kernel);
  arguments.recurrentKernel = call.input(2, {shapes.units, 4 * shapes.units});
  arguments.bias = call.input(3, {4 * shapes.units});
  arguments.initialState = call.input(4, shapes.state);
  arguments.initialCell = call.input(5, shapes.state);
  arguments.outputs = call.output(0, shapes.outputs);
  float* const lastState = call.output(1, shapes.state);
  arguments.lastCell = call.output(2, shapes.state);
  float* const gates = call.output(3, keep ? shapes.gates : Shape{0});
  float* const cells = call.output(4, keep ? shapes.outputs : Shape{0});
  arguments.gates = keep ? gates : nullptr;
  arguments.cells = keep ? cells : nullptr;
  instructionSetFor(shapes.size.units).lstmForward(arguments, call);
  copyLastStep(arguments.outputs, arguments.size, lastState);
}

void backward(Call& call, const Attributes&) {
  const Shapes shapes(call);
  LstmBackward arguments{};
  arguments.size = shapes.size;
  arguments.inputs = call.input(0, shapes.inputs);
  arguments.kernel = call.input(1, shapes.kernel);
  arguments.recurrentKernel = call.input(2, {shapes.units, 4 * shapes.units});
  arguments.initialState = call.input(3, shapes.state);
  arguments.initialCell = call.input(4, shapes.state);
  arguments.outputs = call.input(5, shapes.outputs);
  arguments.gates = call.input(6, shapes.gates);
  arguments.cells = call.input(7, shapes.outputs);
  arguments.outputsGradient = call.optionalInput(8, shapes.outputs);
  arguments.lastStateGradient = call.optionalInput(9, shapes.state);
  arguments.lastCellGradient = call.optionalInput(10, shapes.state);
  arguments.inputsGradient = call.output(0, shapes.inputs);
  arguments.kernelGradient = call.output(1, shapes.kernel);
  arguments.recurrentKernelGradient = call.output(2, {shapes.units, 4 * shapes.units});
  arguments.biasGradient = call.output(3, {4 * shapes.units});
  arguments.initialStateGradient = call.output(4, shapes.state);
  arguments.initialCellGradient = call.output(5, shapes.state);
  instructionSetFor(shapes.size.units).lstmBackward(arguments, call);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation(
      {"TeletrainLSTM",
       {"inputs", "kernel", "recurrent_kernel", "bias", "initial_state", "initial_cell"},
       {"outputs", "last_state", "last_cell", "gates", "cells"},
       {"keep: bool"}},
      forward);
  registerOperation(
      {"TeletrainLSTMGrad",
       {"inputs", "kernel", "recurrent_kernel", "initial_state", "initial_cell", "outputs", "gates",
        "cells", "outputs_gradient", "last_state_gradient", "last_cell_gradient"},
       {"inputs_gradient", "kernel_gradient", "recurrent_kernel_gradient", "bias_gradient",
        "initial_state_gradient", "initial_cell_gradient"},
       {}},
      backward);
  return true;
}();

}  // namespace
}  // namespace teletrain
