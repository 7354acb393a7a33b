#include "operation.h"

namespace teletrain {
namespace {

SequenceSize sizeOf(const Shape& inputs, const Shape& kernel) {
  return {static_cast<int>(inputs[0]), static_cast<int>(inputs[1]), static_cast<int>(inputs[2]),
          static_cast<int>(kernel[1])};
}

void forward(Call& call, const Attributes&) {
  const Shape inputs = call.shape(0, 3);
  const Shape kernel = call.shape(1, 2);
  const int64_t units = kernel[1];
  SimpleRnnForward arguments{};
  arguments.size = sizeOf(inputs, kernel);
  arguments.inputs = call.input(0, inputs);
  arguments.kernel = call.input(1, {inputs[2], units});
  arguments.recurrentKernel = call.input(2, {units, units});
  arguments.bias = call.input(3, {units});
  arguments.initialState = call.input(4, {inputs[1], units});
  arguments.outputs = call.output(0, {inputs[0], inputs[1], units});
  float* const lastState = call.output(1, {inputs[1], units});
  instructionSetFor(static_cast<int>(units)).simpleRnnForward(arguments, call);
  copyLastStep(arguments.outputs, arguments.size, lastState);
}

void backward(Call& call, const Attributes&) {
  const Shape inputs = call.shape(0, 3);
  const Shape kernel = call.shape(1, 2);
  const int64_t units = kernel[1];
  const Shape outputs{inputs[0], inputs[1], units};
  const Shape state{inputs[1], units};
  SimpleRnnBackward arguments{};
  arguments.size = sizeOf(inputs, kernel);
  arguments.inputs = call.input(0, inputs);
  arguments.kernel = call.input(1, {inputs[2], units});
  arguments.recurrentKernel = call.input(2, {units, units});
  arguments.initialState = call.input(3, state);
  arguments.outputs = call.input(4, outputs);
  arguments.outputsGradient = call.optionalInput(5, outputs);
  arguments.lastStateGradient = call.optionalInput(6, state);
  arguments.inputsGradient = call.output(0, inputs);
  arguments.kernelGradient = call.output(1, kernel);
  arguments.recurrentKernelGradient = call.output(2, {units, units});
  arguments.biasGradient = call.output(3, {units});
  arguments.initialStateGradient = call.output(4, state);
  instructionSetFor(static_cast<int>(units)).simpleRnnBackward(arguments, call);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation({"TeletrainSimpleRNN",
                     {"inputs", "kernel", "recurrent_kernel", "bias", "initial_state"},
                     {"outputs", "last_state"},
                     {}},
                    forward);
  registerOperation(
      {"TeletrainSimpleRNNGrad",
       {"inputs", "kernel", "recurrent_kernel", "initial_state", "outputs", "outputs_gradient",
        "last_state_gradient"},
       {"inputs_gradient", "kernel_gradient", "recurrent_kernel_gradient", "bias_gradient",
        "initial_state_gradient"},
       {}},
      backward);
  return true;
}();

}  // namespace
}  // namespace teletrain
