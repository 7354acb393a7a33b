// The last layer of a classifier with two classes: Dense(1) with a sigmoid, the mean cross-entropy and
// the accuracy. It is small beside the layers below it, and plain code in double precision is enough.

#ifndef TELETRAIN_KERNELS_BINARY_HEAD_H_
#define TELETRAIN_KERNELS_BINARY_HEAD_H_

#include <math.h>
#include <stdint.h>

#include <vector>

namespace teletrain {

// Targets are 0 or 1, of one of two types; the other pointer is null.
struct BinaryHeadForward {
  int64_t batch, units;
  const float* features;  // [batch, units]
  const float* kernel;    // [units]
  float bias;
  const float* targets;           // [batch]
  const int32_t* integerTargets;  // [batch]
  float* loss;                    // []: nats
  float* accuracy;                // []
  float* logitsGradient;          // [batch]: of the loss
};

struct BinaryHeadBackward {
  int64_t batch, units;
  const float* features;        // [batch, units]
  const float* kernel;          // [units]
  const float* logitsGradient;  // [batch]: as kept going forward
  float lossGradient;
  float* featuresGradient;  // [batch, units]
  float* kernelGradient;    // [units]
  float* biasGradient;      // []
};

inline void binaryHeadForward(const BinaryHeadForward& given) {
  const int64_t batch = given.batch, units = given.units;
  const float* x = given.features;
  double loss = 0;
  int64_t right = 0;
  for (int64_t i = 0; i < batch; i++, x += units) {
    double logit = given.bias;
    for (int64_t unit = 0; unit < units; unit++) {
      logit += static_cast<double>(x[unit]) * given.kernel[unit];
    }
    const float target = given.targets == nullptr ? static_cast<float>(given.integerTargets[i])
                                                  : given.targets[i];
    loss += fmax(logit, 0) - logit * target + log1p(exp(-fabs(logit)));
    given.logitsGradient[i] = static_cast<float>((1 / (1 + exp(-logit)) - target) / batch);
    right += (logit > 0 ? 1.0f : 0.0f) == target ? 1 : 0;
  }
  *given.loss = static_cast<float>(loss / batch);
  *given.accuracy = static_cast<float>(right) / batch;
}

inline void binaryHeadBackward(const BinaryHeadBackward& given) {
  const int64_t batch = given.batch, units = given.units;
  const float* x = given.features;
  float* to = given.featuresGradient;
  std::vector<double> sums(units);
  double sum = 0;
  for (int64_t i = 0; i < batch; i++, x += units, to += units) {
    const float gradient = given.logitsGradient[i] * given.lossGradient;
    sum += gradient;
    for (int64_t unit = 0; unit < units; unit++) {
      to[unit] = gradient * given.kernel[unit];
      sums[unit] += static_cast<double>(gradient) * x[unit];
    }
  }
  for (int64_t unit = 0; unit < units; unit++) {
    given.kernelGradient[unit] = static_cast<float>(sums[unit]);
  }
  *given.biasGradient = static_cast<float>(sum);
}

}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_BINARY_HEAD_H_
