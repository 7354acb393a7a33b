// SimpleRNN over whole sequences; see kernels.h for what is computed.

#ifndef TELETRAIN_KERNELS_SIMPLE_RNN_H_
#define TELETRAIN_KERNELS_SIMPLE_RNN_H_

#include "parts.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

inline void simpleRnnForward(const SimpleRnnForward& given, Runtime& runtime) {
  const int timesteps = given.size.timesteps, batch = given.size.batch;
  const int features = given.size.features, units = given.size.units;
  const Columns columns{units, 1};
  const int width = columns.width();
  const Groups parts = partsOf(batch, static_cast<long long>(features + units) * units);
  const ptrdiff_t partFloats = mostTile;
  Pieces shared(runtime.allocate(Pieces::rounded(static_cast<ptrdiff_t>(features) * width) +
                                 Pieces::rounded(static_cast<ptrdiff_t>(units) * width) +
                                 Pieces::rounded(width) + parts.count * partFloats));
  float* const kernelFloats = shared.take(static_cast<ptrdiff_t>(features) * width);
  float* const recurrentFloats = shared.take(static_cast<ptrdiff_t>(units) * width);
  float* const bias = shared.take(width);
  const Packed kernel = packColumns(kernelFloats, given.kernel, features, columns);
  const Packed recurrent = packColumns(recurrentFloats, given.recurrentKernel, units, columns);
  packBias(bias, given.bias, columns);
  float* const sumsOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    float* const sums = sumsOfParts + index * partFloats;
    const float* before = given.initialState + static_cast<ptrdiff_t>(part.first) * units;
    for (int t = 0; t < timesteps; t++) {
      const ptrdiff_t row = static_cast<ptrdiff_t>(t) * batch + part.first;
      float* const outputs = given.outputs + row * units;
      if (t + 1 < timesteps) {
        const ptrdiff_t next = row + batch;
        prefetch(given.inputs + next * features, static_cast<ptrdiff_t>(part.rows) * features);
        prefetch(given.outputs + next * units, static_cast<ptrdiff_t>(part.rows) * units);
      }
      for (int p = 0; p < kernel.panels.count; p++) {
        const int vectors = kernel.vectors(p), tile = vectors * lanes;
        const Groups groups(part.rows, mostRows(vectors));
        for (int group = 0; group < groups.count; group++) {
          const ptrdiff_t first = groups.first(group);
          const int rows = groups.size(group);
          const Factors factors[] = {
              {given.inputs + (row + first) * features, features, kernel.panel(p), features},
              {before + first * units, units, recurrent.panel(p), units},
          };
          productTileOf(rows, vectors)(bias + kernel.column(p), 0, factors, 2, sums, tile);
          for (int r = 0; r < rows; r++) {
            for (int v = 0; v < vectors; v++) {
              const int column = kernel.column(p) + v * lanes;
              storeFirst(outputs + (first + r) * units + column,
                         tanh(load(sums + r * tile + v * lanes)), units - column);
            }
          }
        }
      }
      before = outputs;
    }
  });
}

inline void simpleRnnBackward(const SimpleRnnBackward& given, Runtime& runtime) {
  const int timesteps = given.size.timesteps, batch = given.size.batch;
  const int features = given.size.features, units = given.size.units;
  const Columns columns{units, 1};
  const int width = columns.width();
  const Groups parts = partsOf(batch, static_cast<long long>(features + units) * units);
  const int together = stepsTogether(timesteps, parts.size(0), units);
  const ptrdiff_t stepFloats = static_cast<ptrdiff_t>(parts.size(0)) * width;
  const ptrdiff_t kernelFloats = static_cast<ptrdiff_t>(features) * width;
  const ptrdiff_t recurrentFloats = static_cast<ptrdiff_t>(units) * width;
  const ptrdiff_t gradientFloats = kernelFloats + recurrentFloats + width;
  const ptrdiff_t partFloats =
      Pieces::rounded((together + 2) * stepFloats) + Pieces::rounded(gradientFloats) + mostTile;
  const int featuresWidth = padded(features);
  Pieces shared(runtime.allocate(Pieces::rounded(static_cast<ptrdiff_t>(width) * featuresWidth) +
                                 Pieces::rounded(static_cast<ptrdiff_t>(width) * width) +
                                 mostTile + parts.count * partFloats));
  const Packed kernel =
      packTransposed(shared.take(static_cast<ptrdiff_t>(width) * featuresWidth), given.kernel,
                     features, columns);
  const Packed recurrent = packTransposed(shared.take(static_cast<ptrdiff_t>(width) * width),
                                          given.recurrentKernel, units, columns);
  float* const zeros = shared.take(mostTile);
  clear(zeros, mostTile);
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    float* const gradients = own.take((together + 2) * stepFloats);
    float* const later = gradients + together * stepFloats;
    float* const fromLater = later + stepFloats;
    float* const kernelGradient = own.take(gradientFloats);
    float* const recurrentGradient = kernelGradient + kernelFloats;
    float* const biasGradient = recurrentGradient + recurrentFloats;
    float* const spare = own.take(mostTile);
    clear(kernelGradient, gradientFloats);
    const ptrdiff_t rowFloats = static_cast<ptrdiff_t>(part.rows) * width;

    const auto multiplyByRecurrent = [&](const float* of) {
      for (int p = 0; p < recurrent.panels.count; p++) {
        const Factors factors{of, width, recurrent.panel(p), width};
        multiplyPanel(part.rows, recurrent.vectors(p), zeros, 0, &factors, 1,
                      fromLater + recurrent.column(p), width);
      }
    };
    const auto rowOf = [&](int t) { return static_cast<ptrdiff_t>(t) * batch + part.first; };
    padRows(given.lastStateGradient, part.first, fromLater, part.rows, units);

    for (int end = timesteps; end > 0; end -= together) {
      const int begin = end > together ? end - together : 0;
      const int steps = end - begin;
      for (int t = end - 1; t >= begin; t--) {
        float* const here = gradients + (t - begin) * rowFloats;
        if (t < timesteps - 1) multiplyByRecurrent(t == end - 1 ? later : here + rowFloats);
        const float* const outputs = given.outputs + rowOf(t) * units;
        if (t > 0) {
          const ptrdiff_t next = rowOf(t) - batch;
          const ptrdiff_t rowsUnits = static_cast<ptrdiff_t>(part.rows) * units;
          const ptrdiff_t rowsFeatures = static_cast<ptrdiff_t>(part.rows) * features;
          prefetch(given.outputs + next * units, rowsUnits);
          if (given.outputsGradient != nullptr) {
            prefetch(given.outputsGradient + next * units, rowsUnits);
          }
          prefetch(given.inputs + next * features, rowsFeatures);
          prefetch(given.inputsGradient + next * features, rowsFeatures);
        }
        const float* const direct =
            given.outputsGradient == nullptr ? nullptr : given.outputsGradient + rowOf(t) * units;
        for (int r = 0; r < part.rows; r++) {
          for (int column = 0; column < width; column += lanes) {
            const int left = units - column;
            const ptrdiff_t at = static_cast<ptrdiff_t>(r) * units + column;
            const ptrdiff_t to = static_cast<ptrdiff_t>(r) * width + column;
            const Vector output = loadFirst(outputs + at, left);
            Vector gradient = load(fromLater + to);
            if (direct != nullptr) gradient += loadFirst(direct + at, left);
            store(here + to, gradient * (splat(1.0f) - output * output));
          }
        }
      }
      for (int t = begin; t < end; t++) {
        multiplyExactly(part.rows, gradients + (t - begin) * rowFloats, width, kernel, zeros,
                        given.inputsGradient + rowOf(t) * features, features, features, spare);
      }
      addSequenceGradients(given, part, begin, steps, gradients, width,
                           {kernelGradient, recurrentGradient, biasGradient});
      memcpy(later, gradients, sizeof(float) * rowFloats);
    }
    multiplyExactly(part.rows, later, width, recurrent, zeros,
                    given.initialStateGradient + rowOf(0) * units, units, units, spare);
  });

  const float* const partials = memoryOfParts + Pieces::rounded((together + 2) * stepFloats);
  sumParts(partials, partFloats, parts.count, features, columns, given.kernelGradient);
  sumParts(partials + kernelFloats, partFloats, parts.count, units, columns,
           given.recurrentKernelGradient);
  sumParts(partials + kernelFloats + recurrentFloats, partFloats, parts.count, 1, columns,
           given.biasGradient);
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_SIMPLE_RNN_H_
