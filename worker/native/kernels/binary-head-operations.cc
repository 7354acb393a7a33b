#include "binary-head.h"
#include "operation.h"

namespace teletrain {
namespace {

void forward(Call& call, const Attributes&) {
  const Shape features = call.shape(0, 2);
  const int64_t batch = features[0], units = features[1];
  BinaryHeadForward arguments{};
  arguments.batch = batch;
  arguments.units = units;
  arguments.features = call.input(0, features);
  arguments.kernel = call.input(1, {units, 1});
  arguments.bias = *call.input(2, {1});
  if (call.isIntegers(3)) {
    arguments.integerTargets = call.integers(3, {batch});
  } else {
    arguments.targets = call.input(3, {batch});
  }
  arguments.loss = call.output(0, {});
  arguments.accuracy = call.output(1, {});
  arguments.logitsGradient = call.output(2, {batch});
  binaryHeadForward(arguments);
}

void backward(Call& call, const Attributes&) {
  const Shape features = call.shape(0, 2);
  const int64_t batch = features[0], units = features[1];
  BinaryHeadBackward arguments{};
  arguments.batch = batch;
  arguments.units = units;
  arguments.features = call.input(0, features);
  arguments.kernel = call.input(1, {units, 1});
  arguments.logitsGradient = call.input(2, {batch});
  arguments.lossGradient = *call.input(3, {});
  arguments.featuresGradient = call.output(0, features);
  arguments.kernelGradient = call.output(1, {units, 1});
  arguments.biasGradient = call.output(2, {1});
  binaryHeadBackward(arguments);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation({"TeletrainBinaryHead",
                     {"features", "kernel", "bias", "targets"},
                     {"loss", "accuracy", "logits_gradient"},
                     {}},
                    forward);
  registerOperation({"TeletrainBinaryHeadGrad",
                     {"features", "kernel", "logits_gradient", "loss_gradient"},
                     {"features_gradient", "kernel_gradient", "bias_gradient"},
                     {}},
                    backward);
  return true;
}();

}  // namespace
}  // namespace teletrain
