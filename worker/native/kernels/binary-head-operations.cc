// The last layer of a classifier with two classes: Dense(1) with a sigmoid, the mean cross-entropy and
// the accuracy. It is small beside the layers below it, and plain code in double precision is enough.

#include <math.h>

#include "operation.h"

namespace teletrain {
namespace {

// Targets are 0 or 1, int32 or float32, [batch] or [batch, 1].
float targetOf(const float* floats, const int32_t* integers, int64_t example) {
  return floats == nullptr ? static_cast<float>(integers[example]) : floats[example];
}

void forward(Call& call, const Attributes&) {
  const Shape features = call.shape(0, 2);
  const int64_t batch = features[0], units = features[1];
  const float* x = call.input(0, features);
  const float* kernel = call.input(1, {units, 1});
  const float bias = *call.input(2, {1});
  const bool isIntegers = call.isIntegers(3);
  const float* floats = isIntegers ? nullptr : call.input(3, {batch});
  const int32_t* integers = isIntegers ? call.integers(3, {batch}) : nullptr;
  float* logitsGradient = call.output(2, {batch});
  double loss = 0;
  int64_t right = 0;
  for (int64_t i = 0; i < batch; i++, x += units) {
    double logit = bias;
    for (int64_t unit = 0; unit < units; unit++) logit += static_cast<double>(x[unit]) * kernel[unit];
    const float target = targetOf(floats, integers, i);
    loss += fmax(logit, 0) - logit * target + log1p(exp(-fabs(logit)));
    logitsGradient[i] = static_cast<float>((1 / (1 + exp(-logit)) - target) / batch);
    right += (logit > 0 ? 1.0f : 0.0f) == target ? 1 : 0;
  }
  *call.output(0, {}) = static_cast<float>(loss / batch);
  *call.output(1, {}) = static_cast<float>(right) / batch;
}

void backward(Call& call, const Attributes&) {
  const Shape features = call.shape(0, 2);
  const int64_t batch = features[0], units = features[1];
  const float* x = call.input(0, features);
  const float* kernel = call.input(1, {units, 1});
  const float* logitsGradient = call.input(2, {batch});
  const float lossGradient = *call.input(3, {});
  float* to = call.output(0, features);
  float* kernelGradient = call.output(1, {units, 1});
  std::vector<double> sums(units);
  double sum = 0;
  for (int64_t i = 0; i < batch; i++, x += units, to += units) {
    const float gradient = logitsGradient[i] * lossGradient;
    sum += gradient;
    for (int64_t unit = 0; unit < units; unit++) {
      to[unit] = gradient * kernel[unit];
      sums[unit] += static_cast<double>(gradient) * x[unit];
    }
  }
  for (int64_t unit = 0; unit < units; unit++) {
    kernelGradient[unit] = static_cast<float>(sums[unit]);
  }
  *call.output(2, {1}) = static_cast<float>(sum);
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
