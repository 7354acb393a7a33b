#include "operation.h"

namespace teletrain {
namespace {

// Inputs before the weights: each layer's kernel and bias.
constexpr int weightsAt = 2;

void compute(Call& call, const Attributes& attributes) {
  const Shape inputs = call.shape(0, 3);
  const bool gradients = attributes[1] != 0;
  const int weights = static_cast<int>(attributes[2]);
  if (weights % 2 != 0) call.refuse(weightsAt + weights - 1, "is a kernel without a bias");
  if (weights / 2 > mostDenseLossLayers) {
    call.refuse(weightsAt + weights - 1,
                "belongs to more layers than " + std::to_string(mostDenseLossLayers));
  }
  const int64_t rows = inputs[0] * inputs[1];
  if (rows > INT32_MAX / 2) call.refuse(0, "has too many rows, " + std::to_string(rows));
  DenseLossWeights layers[mostDenseLossLayers];
  DenseLoss arguments{};
  arguments.rows = static_cast<int>(rows);
  arguments.scale = 1.0f / static_cast<float>(inputs[1]);
  arguments.inputs = call.input(0, inputs);
  arguments.targets = call.input(1, {inputs[0], inputs[1]});
  arguments.layers = layers;
  arguments.layerCount = weights / 2;
  arguments.loss = call.output(0, {});
  float* const inputsGradient = call.output(1, gradients ? inputs : Shape{0});
  arguments.inputsGradient = gradients ? inputsGradient : nullptr;
  int64_t features = inputs[2];
  int widest = 1;
  for (int l = 0; l < arguments.layerCount; l++) {
    const int at = weightsAt + 2 * l;
    const Shape kernel{features, call.shape(at, 2)[1]};
    layers[l].features = static_cast<int>(features);
    layers[l].units = static_cast<int>(kernel[1]);
    layers[l].relu = l >= attributes[0];
    layers[l].kernel = call.input(at, kernel);
    layers[l].bias = call.input(at + 1, {kernel[1]});
    layers[l].kernelGradient = call.output(at, gradients ? kernel : Shape{0});
    layers[l].biasGradient = call.output(at + 1, gradients ? Shape{kernel[1]} : Shape{0});
    if (layers[l].features > widest) widest = layers[l].features;
    features = kernel[1];
  }
  if (features != 1) call.refuse(weightsAt + weights - 2, "does not give one logit");
  instructionSetFor(widest).denseLoss(arguments, call);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation({"TeletrainDenseLoss",
                     {"inputs", "targets", "weights: N * float"},
                     {"loss", "inputs_gradient", "weights_gradient: N * float"},
                     {"relu_from: int", "gradients: bool", "N: int >= 2"}},
                    compute);
  return true;
}();

}  // namespace
}  // namespace teletrain
