// A network's dense layers over a picture's maps, down to a logit a pixel, and the pictures' negative
// log-likelihood, with all gradients of it in the same pass: some rows go through all layers and back
// while they are in the first cache, and no map between the layers is ever stored. See kernels.h for
// what is computed.

#ifndef TELETRAIN_KERNELS_DENSE_LOSS_H_
#define TELETRAIN_KERNELS_DENSE_LOSS_H_

#include "dense.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

// -ln p(target) in nats, where p(1) = sigmoid(logit): max(l, 0) - l · t + ln(1 + e), where e is
// exp(-|l|) and never overflows. With s = sigmoid(-|l|), e = s / (1 - s), and ln(1 + e) is
// 2 · artanh(s / (2 - s)) by its series, whose terms left out are less than 1e-9 of it.
TELETRAIN_INLINE Vector crossEntropy(Vector logit, Vector target) {
  const Vector s = sigmoid(select(logit < splat(0.0f), logit, -logit));
  const Vector z = s / (splat(2.0f) - s);
  const Vector square = z * z;
  Vector sum = splat(2.0f / 15);
  sum = sum * square + splat(2.0f / 13);
  sum = sum * square + splat(2.0f / 11);
  sum = sum * square + splat(2.0f / 9);
  sum = sum * square + splat(2.0f / 7);
  sum = sum * square + splat(2.0f / 5);
  sum = sum * square + splat(2.0f / 3);
  const Vector tail = splat(2.0f) * z + z * square * sum;
  return rectified(logit) - logit * target + tail;
}

// One layer with what going back needs, and where in a part's memory its things lie.
struct DenseLossLayer {
  Dense dense;
  Packed transposed;
  int width;            // padded units
  ptrdiff_t activated;  // a block's inputs after their ReLU
  ptrdiff_t gradients;  // of the kernel and, as one more row, of the bias
};

inline Packed packDenseTransposed(float* to, const float* kernel, int features, int units) {
  return pack(to, units, Columns{features, 1}.panels(), [&](int unit, int feature) {
    return feature < features ? kernel[static_cast<ptrdiff_t>(feature) * units + unit] : 0.0f;
  });
}

inline void denseLoss(const DenseLoss& given, Runtime& runtime) {
  const int count = given.layerCount;
  const bool back = given.inputsGradient != nullptr;
  const Groups parts = denseParts(given.rows);
  ptrdiff_t sharedFloats = 0, partFloats = 0;
  int widest = 1;
  for (int l = 0; l < count; l++) {
    const int features = given.layers[l].features, units = given.layers[l].units;
    sharedFloats += denseFloats(features, units) +
                    Pieces::rounded(static_cast<ptrdiff_t>(units) * padded(features));
    if (features > widest) widest = features;
  }
  // Past a block's rows, whole vectors are written and read.
  const ptrdiff_t blockFloats =
      Pieces::rounded(static_cast<ptrdiff_t>(denseRowsTogether) * widest + padded(widest));
  sharedFloats += Pieces::rounded(padded(widest));
  DenseLossLayer layers[mostDenseLossLayers];
  for (int l = 0; l < count; l++) {
    const int features = given.layers[l].features, units = given.layers[l].units;
    layers[l].width = padded(units);
    layers[l].activated = partFloats;
    partFloats += Pieces::rounded(static_cast<ptrdiff_t>(denseRowsTogether) * features +
                                  padded(features));
    layers[l].gradients = partFloats;
    partFloats += Pieces::rounded(static_cast<ptrdiff_t>(features + 1) * layers[l].width);
  }
  const ptrdiff_t blocksAt = partFloats;
  partFloats += 2 * blockFloats + mostTile;
  const ptrdiff_t lossFloats = Pieces::rounded(2 * parts.count);
  Pieces shared(runtime.allocate(sharedFloats + lossFloats + parts.count * partFloats));
  for (int l = 0; l < count; l++) {
    const DenseLossWeights& from = given.layers[l];
    layers[l].dense = packDense(shared.take(denseFloats(from.features, from.units)), from.kernel,
                                from.bias, from.features, from.units, from.relu);
    layers[l].transposed =
        packDenseTransposed(shared.take(static_cast<ptrdiff_t>(from.units) * padded(from.features)),
                            from.kernel, from.features, from.units);
  }
  float* const zeros = shared.take(padded(widest));
  clear(zeros, padded(widest));
  float* const losses = shared.take(lossFloats);
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    float* const own = memoryOfParts + index * partFloats;
    float* const blocks[] = {own + blocksAt, own + blocksAt + blockFloats};
    float* const tile = own + blocksAt + 2 * blockFloats;
    for (int l = 0; back && l < count; l++) {
      clear(own + layers[l].gradients,
            static_cast<ptrdiff_t>(layers[l].dense.features + 1) * layers[l].width);
    }
    double loss = 0;
    const int end = part.first + part.rows;
    for (int first = part.first; first < end; first += denseRowsTogether) {
      const int rows = end - first < denseRowsTogether ? end - first : denseRowsTogether;
      const float* const inputs =
          given.inputs + static_cast<ptrdiff_t>(first) * layers[0].dense.features;
      float logits[denseRowsTogether], nats[denseRowsTogether];
      for (int l = 0; l < count; l++) {
        const Dense& dense = layers[l].dense;
        float* const activated = own + layers[l].activated;
        const ptrdiff_t floats = static_cast<ptrdiff_t>(rows) * dense.features;
        if (l == 0 || dense.relu) {
          activate(l == 0 ? inputs : activated, nullptr, dense.relu, floats, activated);
        }
        float* const to = l + 1 < count ? own + layers[l + 1].activated : logits;
        multiplyRows(rows, activated, dense.features, dense.kernel, dense.bias, nullptr, to,
                     dense.units,
                     static_cast<ptrdiff_t>(rows) * dense.units +
                         (l + 1 < count ? padded(dense.units) : 0),
                     tile);
      }
      float* gradient = blocks[0];
      float* next = blocks[1];
      for (int row = 0; row < rows; row += lanes) {
        const int left = rows - row;
        const Vector logit = loadFirst(logits + row, left);
        const Vector target = loadFirst(given.targets + first + row, left);
        storeFirst(nats + row, crossEntropy(logit, target), left);
        storeFirst(gradient + row, (sigmoid(logit) - target) * splat(given.scale), left);
      }
      // In double precision and in the rows' order, whatever the vectors' width.
      for (int row = 0; row < rows; row++) loss += nats[row];
      for (int l = count - 1; back && l >= 0; l--) {
        const Dense& dense = layers[l].dense;
        const float* const activated = own + layers[l].activated;
        addWeightGradients(activated, dense.features, rows, {gradient, dense.units},
                           layers[l].width, own + layers[l].gradients);
        const ptrdiff_t floats = static_cast<ptrdiff_t>(rows) * dense.features;
        float* const to =
            l > 0 ? next
                  : given.inputsGradient + static_cast<ptrdiff_t>(first) * dense.features;
        const ptrdiff_t room = l > 0 ? floats + padded(dense.features)
                                     : static_cast<ptrdiff_t>(end - first) * dense.features;
        multiplyRows(rows, gradient, dense.units, layers[l].transposed, zeros, nullptr, to,
                     dense.features, room, tile);
        if (dense.relu) keepPositive(activated, floats, to);
        next = gradient;
        gradient = to;
      }
    }
    memcpy(losses + 2 * index, &loss, sizeof loss);
  });

  double total = 0;
  for (int part = 0; part < parts.count; part++) {
    double loss;
    memcpy(&loss, losses + 2 * part, sizeof loss);
    total += loss;
  }
  *given.loss = static_cast<float>(total * given.scale);
  for (int l = 0; back && l < count; l++) {
    const DenseLossWeights& to = given.layers[l];
    const Columns columns{to.units, 1};
    const float* const partials = memoryOfParts + layers[l].gradients;
    sumParts(partials, partFloats, parts.count, to.features, columns, to.kernelGradient);
    sumParts(partials + static_cast<ptrdiff_t>(to.features) * layers[l].width, partFloats,
             parts.count, 1, columns, to.biasGradient);
  }
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_DENSE_LOSS_H_
