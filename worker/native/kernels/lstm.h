// LSTM over whole sequences; see kernels.h for what is computed.

#ifndef TELETRAIN_KERNELS_LSTM_H_
#define TELETRAIN_KERNELS_LSTM_H_

#include "lstm-cell.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

inline void lstmForward(const LstmForward& given, Runtime& runtime) {
  const int timesteps = given.size.timesteps, batch = given.size.batch;
  const int features = given.size.features, units = given.size.units;
  const Columns columns{units, 4};
  const int width = columns.width();
  const Groups parts = partsOf(batch, static_cast<long long>(features + units) * 4 * units);
  const ptrdiff_t kernelFloats = static_cast<ptrdiff_t>(features) * width;
  const ptrdiff_t recurrentFloats = static_cast<ptrdiff_t>(units) * width;
  const ptrdiff_t sumsFloats = static_cast<ptrdiff_t>(parts.size(0)) * 4 * lanes;
  const ptrdiff_t stateFloats = static_cast<ptrdiff_t>(parts.size(0)) * padded(units);
  const ptrdiff_t partFloats = Pieces::rounded(sumsFloats) + Pieces::rounded(stateFloats);
  Pieces shared(runtime.allocate(Pieces::rounded(kernelFloats) + Pieces::rounded(recurrentFloats) +
                                 Pieces::rounded(width) + parts.count * partFloats));
  const Packed kernel =
      packColumns(shared.take(kernelFloats), given.kernel, features, columns);
  const Packed recurrent =
      packColumns(shared.take(recurrentFloats), given.recurrentKernel, units, columns);
  float* const bias = shared.take(width);
  packBias(bias, given.bias, columns);
  const auto panelOf = [&](int factor, int panel) {
    return (factor == 0 ? kernel : recurrent).panel(panel);
  };
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    float* const sums = own.take(sumsFloats);
    float* const state = own.take(stateFloats);
    const ptrdiff_t firstState = static_cast<ptrdiff_t>(part.first) * units;
    padRows(given.initialCell, part.first, state, part.rows, units);
    const float* before = given.initialState + firstState;
    for (int t = 0; t < timesteps; t++) {
      const ptrdiff_t row = static_cast<ptrdiff_t>(t) * batch + part.first;
      Factors factors[] = {
          {given.inputs + row * features, features, nullptr, features},
          {before, units, nullptr, units},
      };
      LstmCells to{given.outputs + row * units, nullptr, nullptr};
      if (t + 1 < timesteps) {
        const ptrdiff_t next = row + batch;
        prefetch(given.inputs + next * features, static_cast<ptrdiff_t>(part.rows) * features);
        prefetch(given.outputs + next * units, static_cast<ptrdiff_t>(part.rows) * units);
        if (given.gates != nullptr) {
          prefetch(given.gates + next * 4 * units, static_cast<ptrdiff_t>(part.rows) * 4 * units);
          prefetch(given.cells + next * units, static_cast<ptrdiff_t>(part.rows) * units);
        }
      }
      if (given.gates != nullptr) {
        to.gates = given.gates + row * 4 * units;
        to.cells = given.cells + row * units;
      }
      lstmForwardStep(to, bias, kernel.panels, factors, 2, panelOf, state, part.rows, units, sums);
      before = to.outputs;
    }
    unpadRows(state, given.lastCell + firstState, part.rows, units);
  });
}

inline void lstmBackward(const LstmBackward& given, Runtime& runtime) {
  const int timesteps = given.size.timesteps, batch = given.size.batch;
  const int features = given.size.features, units = given.size.units;
  const Columns columns{units, 4};
  const int width = columns.width(), unitsWidth = padded(units);
  const Groups parts = partsOf(batch, static_cast<long long>(features + units) * 4 * units);
  const int together = stepsTogether(timesteps, parts.size(0), 4 * units);
  const ptrdiff_t kernelFloats = static_cast<ptrdiff_t>(features) * width;
  const ptrdiff_t recurrentFloats = static_cast<ptrdiff_t>(units) * width;
  const ptrdiff_t gradientFloats = kernelFloats + recurrentFloats + width;
  const ptrdiff_t gatesFloats = static_cast<ptrdiff_t>(together + 1) * parts.size(0) * width;
  const ptrdiff_t stateFloats = static_cast<ptrdiff_t>(parts.size(0)) * unitsWidth;
  const ptrdiff_t partFloats = Pieces::rounded(gradientFloats) + Pieces::rounded(gatesFloats) +
                               2 * Pieces::rounded(stateFloats) + mostTile;
  const ptrdiff_t featuresFloats = static_cast<ptrdiff_t>(width) * padded(features);
  const ptrdiff_t transposedFloats = static_cast<ptrdiff_t>(width) * unitsWidth;
  Pieces shared(runtime.allocate(Pieces::rounded(featuresFloats) +
                                 Pieces::rounded(transposedFloats) + mostTile +
                                 parts.count * partFloats));
  const Packed kernel =
      packTransposed(shared.take(featuresFloats), given.kernel, features, columns);
  const Packed recurrent =
      packTransposed(shared.take(transposedFloats), given.recurrentKernel, units, columns);
  float* const zeros = shared.take(mostTile);
  clear(zeros, mostTile);
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    float* const kernelGradient = own.take(gradientFloats);
    float* const recurrentGradient = kernelGradient + kernelFloats;
    float* const biasGradient = recurrentGradient + recurrentFloats;
    float* const gradients = own.take(gatesFloats);
    float* const fromLater = own.take(stateFloats);
    float* const cellGradient = own.take(stateFloats);
    float* const spare = own.take(mostTile);
    clear(kernelGradient, gradientFloats);
    const ptrdiff_t stepFloats = static_cast<ptrdiff_t>(part.rows) * width;
    float* const later = gradients + together * stepFloats;
    const auto rowOf = [&](int t) { return static_cast<ptrdiff_t>(t) * batch + part.first; };
    padRows(given.lastStateGradient, part.first, fromLater, part.rows, units);
    padRows(given.lastCellGradient, part.first, cellGradient, part.rows, units);

    for (int end = timesteps; end > 0; end -= together) {
      const int begin = end > together ? end - together : 0;
      const int steps = end - begin;
      for (int t = end - 1; t >= begin; t--) {
        float* const here = gradients + (t - begin) * stepFloats;
        if (t < timesteps - 1) {
          const float* const of = t == end - 1 ? later : here + stepFloats;
          for (int p = 0; p < recurrent.panels.count; p++) {
            const Factors factors{of, width, recurrent.panel(p), width};
            multiplyPanel(part.rows, recurrent.vectors(p), zeros, 0, &factors, 1,
                          fromLater + recurrent.column(p), unitsWidth);
          }
        }
        LstmBackwardCells from{};
        from.gates = given.gates + rowOf(t) * 4 * units;
        from.cells = given.cells + rowOf(t) * units;
        from.previousCells = t > 0 ? given.cells + (rowOf(t) - batch) * units
                                   : given.initialCell + rowOf(0) * units;
        from.previousStride = units;
        from.directGradient =
            given.outputsGradient == nullptr ? nullptr : given.outputsGradient + rowOf(t) * units;
        from.laterGradient = fromLater;
        if (t > 0) {
          const ptrdiff_t next = rowOf(t) - batch;
          const ptrdiff_t rowsFeatures = static_cast<ptrdiff_t>(part.rows) * features;
          const ptrdiff_t rowsUnits = static_cast<ptrdiff_t>(part.rows) * units;
          prefetch(given.gates + next * 4 * units, 4 * rowsUnits);
          if (t > 1) prefetch(given.cells + (next - batch) * units, rowsUnits);
          if (from.directGradient != nullptr) {
            prefetch(given.outputsGradient + next * units, rowsUnits);
          }
          prefetch(given.outputs + next * units, rowsUnits);
          prefetch(given.inputs + next * features, rowsFeatures);
          prefetch(given.inputsGradient + next * features, rowsFeatures);
        }
        lstmBackwardCells(from, here, cellGradient, part.rows, units);
      }
      for (int t = begin; t < end; t++) {
        multiplyExactly(part.rows, gradients + (t - begin) * stepFloats, width, kernel, zeros,
                        given.inputsGradient + rowOf(t) * features, features, features, spare);
      }
      addSequenceGradients(given, part, begin, steps, gradients, width,
                           {kernelGradient, recurrentGradient, biasGradient});
      memcpy(later, gradients, sizeof(float) * stepFloats);
    }
    multiplyExactly(part.rows, later, width, recurrent, zeros,
                    given.initialStateGradient + rowOf(0) * units, units, units, spare);
    unpadRows(cellGradient, given.initialCellGradient + rowOf(0) * units, part.rows, units);
  });

  sumParts(memoryOfParts, partFloats, parts.count, features, columns, given.kernelGradient);
  sumParts(memoryOfParts + kernelFloats, partFloats, parts.count, units, columns,
           given.recurrentKernelGradient);
  sumParts(memoryOfParts + kernelFloats + recurrentFloats, partFloats, parts.count, 1, columns,
           given.biasGradient);
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_LSTM_H_
