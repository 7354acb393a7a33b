// GRU over whole sequences; see kernels.h for what is computed. A unit's block holds four gates: z, r,
// the inputs' part of the candidate and, if resetAfter, the state's part of it.

#ifndef TELETRAIN_KERNELS_GRU_H_
#define TELETRAIN_KERNELS_GRU_H_

#include "lstm.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

// Keras' gate of each of a block's four, or -1 where a matrix has none.
struct GateMap {
  int keras[4];

  // The column of a matrix [rows, 3 · units] for a column in the kernels' order, or -1.
  int given(int column, int units) const {
    const int unit = column / (4 * lanes) * lanes + column % lanes;
    const int gate = keras[column / lanes % 4];
    return unit < units && gate >= 0 ? gate * units + unit : -1;
  }
};

constexpr GateMap inputGates{{0, 1, 2, -1}};
constexpr GateMap recurrentGates(bool resetAfter) {
  return resetAfter ? GateMap{{0, 1, -1, 2}} : GateMap{{0, 1, -1, -1}};
}

inline Packed packGates(float* to, const float* matrix, int depth, int units, GateMap map) {
  return pack(to, depth, Columns{units, 4}.panels(), [&](int row, int column) {
    const int given = map.given(column, units);
    return given < 0 ? 0.0f : matrix[static_cast<ptrdiff_t>(row) * 3 * units + given];
  });
}

inline Packed packGatesTransposed(float* to, const float* matrix, int rows, int units,
                                  GateMap map) {
  return pack(to, Columns{units, 4}.width(), Columns{rows, 1}.panels(), [&](int row, int column) {
    const int given = map.given(row, units);
    return given < 0 || column >= rows
               ? 0.0f
               : matrix[static_cast<ptrdiff_t>(column) * 3 * units + given];
  });
}

// The candidate's recurrent kernel, [units, units], out of [units, 3 · units].
inline Packed packCandidate(float* to, const float* matrix, int units, bool transposed) {
  return pack(to, transposed ? padded(units) : units, Columns{units, 1}.panels(),
              [&](int row, int column) {
                if (row >= units || column >= units) return 0.0f;
                const int from = transposed ? column : row;
                const int unit = transposed ? row : column;
                return matrix[static_cast<ptrdiff_t>(from) * 3 * units + 2 * units + unit];
              });
}

// All parts' gradients of a matrix, columns in the kernels' order, as a matrix [rows, 3 · units] whose
// gates come from the block's `from`.
inline void sumGates(const float* partials, ptrdiff_t partStride, int parts, int rows, int units,
                     const int (&from)[3], float* to) {
  const int width = Columns{units, 4}.width();
  for (int row = 0; row < rows; row++) {
    for (int gate = 0; gate < 3; gate++) {
      if (from[gate] < 0) continue;
      for (int column = 0; column < units; column += lanes) {
        const float* const at =
            partials + static_cast<ptrdiff_t>(row) * width + column * 4 + from[gate] * lanes;
        Vector sum = load(at);
        for (int part = 1; part < parts; part++) sum += load(at + part * partStride);
        storeFirst(to + (static_cast<ptrdiff_t>(row) * 3 + gate) * units + column, sum,
                   units - column);
      }
    }
  }
}

inline void gruForward(const GruForward& given, Runtime& runtime) {
  const int timesteps = given.size.timesteps, batch = given.size.batch;
  const int features = given.size.features, units = given.size.units;
  const bool resetAfter = given.resetAfter;
  const Columns columns{units, 4};
  const int width = columns.width(), unitsWidth = padded(units);
  const Groups parts = partsOf(batch, static_cast<long long>(features + units) * 4 * units);
  const ptrdiff_t kernelFloats = static_cast<ptrdiff_t>(features) * width;
  const ptrdiff_t recurrentFloats = static_cast<ptrdiff_t>(units) * width;
  const ptrdiff_t candidateFloats = static_cast<ptrdiff_t>(units) * unitsWidth;
  const ptrdiff_t sumsFloats = static_cast<ptrdiff_t>(parts.size(0)) * 4 * lanes;
  const ptrdiff_t stateFloats = static_cast<ptrdiff_t>(parts.size(0)) * unitsWidth;
  const ptrdiff_t partFloats = Pieces::rounded(sumsFloats) + 3 * Pieces::rounded(stateFloats);
  Pieces shared(runtime.allocate(Pieces::rounded(kernelFloats) + Pieces::rounded(recurrentFloats) +
                                 Pieces::rounded(candidateFloats) + Pieces::rounded(width) +
                                 parts.count * partFloats));
  const Packed kernel =
      packGates(shared.take(kernelFloats), given.kernel, features, units, inputGates);
  const Packed recurrent = packGates(shared.take(recurrentFloats), given.recurrentKernel, units,
                                     units, recurrentGates(resetAfter));
  const Packed candidate =
      packCandidate(shared.take(candidateFloats), given.recurrentKernel, units, false);
  float* const bias = shared.take(width);
  for (int column = 0; column < width; column++) {
    const int ofInputs = inputGates.given(column, units);
    const int ofState = recurrentGates(true).given(column, units);
    bias[column] = (ofInputs < 0 ? 0.0f : given.bias[ofInputs]) +
                   (ofState < 0 || !resetAfter ? 0.0f : given.bias[3 * units + ofState]);
  }
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    float* const sums = own.take(sumsFloats);
    // Where the reset comes before the product with the state: its z, r · h(t-1) and candidate so far.
    float* const updates = own.take(stateFloats);
    float* const resets = own.take(stateFloats);
    float* const candidates = own.take(stateFloats);
    const Vector one = splat(1.0f);
    const float* before = given.initialState + static_cast<ptrdiff_t>(part.first) * units;
    for (int t = 0; t < timesteps; t++) {
      const ptrdiff_t row = static_cast<ptrdiff_t>(t) * batch + part.first;
      float* const outputs = given.outputs + row * units;
      const auto keep = [&](int r, int gate, int column, Vector value) {
        if (given.gates == nullptr) return;
        storeFirst(given.gates + ((row + r) * 4 + gate) * units + column, value, units - column);
      };
      const auto finish = [&](int r, int column, Vector z, Vector sum) {
        const ptrdiff_t at = static_cast<ptrdiff_t>(r) * units + column;
        const Vector h = tanh(sum);
        const Vector previous = loadFirst(before + at, units - column);
        keep(r, 2, column, h);
        storeFirst(outputs + at, z * previous + (one - z) * h, units - column);
      };
      if (t + 1 < timesteps) {
        const ptrdiff_t next = row + batch;
        prefetch(given.inputs + next * features, static_cast<ptrdiff_t>(part.rows) * features);
        prefetch(given.outputs + next * units, static_cast<ptrdiff_t>(part.rows) * units);
        if (given.gates != nullptr) {
          prefetch(given.gates + next * 4 * units, static_cast<ptrdiff_t>(part.rows) * 4 * units);
        }
      }
      for (int block = 0; block < kernel.panels.count; block++) {
        const int column = block * lanes;
        const Factors factors[] = {
            {given.inputs + row * features, features, kernel.panel(block), features},
            {before, units, recurrent.panel(block), units},
        };
        multiplyPanel(part.rows, 4, bias + column * 4, 0, factors, 2, sums, 4 * lanes);
        for (int r = 0; r < part.rows; r++) {
          const float* const s = sums + r * 4 * lanes;
          const Vector z = sigmoid(load(s)), reset = sigmoid(load(s + lanes));
          const Vector ofInputs = load(s + 2 * lanes), ofState = load(s + 3 * lanes);
          keep(r, 0, column, z);
          keep(r, 1, column, reset);
          keep(r, 3, column, ofState);
          if (resetAfter) {
            finish(r, column, z, ofInputs + reset * ofState);
          } else {
            const ptrdiff_t at = static_cast<ptrdiff_t>(r) * unitsWidth + column;
            const Vector previous =
                loadFirst(before + static_cast<ptrdiff_t>(r) * units + column, units - column);
            store(updates + at, z);
            store(resets + at, reset * previous);
            store(candidates + at, ofInputs);
          }
        }
      }
      if (!resetAfter) {
        for (int p = 0; p < candidate.panels.count; p++) {
          const int column = candidate.column(p);
          const Factors factors{resets, unitsWidth, candidate.panel(p), units};
          multiplyPanel(part.rows, candidate.vectors(p), candidates + column, unitsWidth, &factors,
                        1, candidates + column, unitsWidth);
        }
        for (int r = 0; r < part.rows; r++) {
          for (int column = 0; column < unitsWidth; column += lanes) {
            const ptrdiff_t at = static_cast<ptrdiff_t>(r) * unitsWidth + column;
            finish(r, column, load(updates + at), load(candidates + at));
          }
        }
      }
      before = outputs;
    }
  });
}

inline void gruBackward(const GruBackward& given, Runtime& runtime) {
  const int timesteps = given.size.timesteps, batch = given.size.batch;
  const int features = given.size.features, units = given.size.units;
  const bool resetAfter = given.resetAfter;
  const Columns columns{units, 4};
  const int width = columns.width(), unitsWidth = padded(units);
  const Groups parts = partsOf(batch, static_cast<long long>(features + units) * 4 * units);
  const int together = stepsTogether(timesteps, parts.size(0), 4 * units);
  const ptrdiff_t kernelFloats = static_cast<ptrdiff_t>(features) * width;
  const ptrdiff_t recurrentFloats = static_cast<ptrdiff_t>(units) * width;
  const ptrdiff_t candidateFloats = static_cast<ptrdiff_t>(unitsWidth) * unitsWidth;
  const ptrdiff_t gradientFloats = kernelFloats + recurrentFloats + width + candidateFloats;
  const ptrdiff_t gatesFloats = static_cast<ptrdiff_t>(together + 1) * parts.size(0) * width;
  const ptrdiff_t stateFloats = static_cast<ptrdiff_t>(parts.size(0)) * unitsWidth;
  const ptrdiff_t partFloats = Pieces::rounded(gradientFloats) + Pieces::rounded(gatesFloats) +
                               3 * Pieces::rounded(stateFloats) +
                               2 * Pieces::rounded(together * stateFloats) + mostTile;
  const ptrdiff_t featuresFloats = static_cast<ptrdiff_t>(width) * padded(features);
  const ptrdiff_t transposedFloats = static_cast<ptrdiff_t>(width) * unitsWidth;
  Pieces shared(runtime.allocate(Pieces::rounded(featuresFloats) +
                                 Pieces::rounded(transposedFloats) +
                                 Pieces::rounded(candidateFloats) + mostTile +
                                 parts.count * partFloats));
  const Packed kernel = packGatesTransposed(shared.take(featuresFloats), given.kernel, features,
                                            units, inputGates);
  const Packed recurrent =
      packGatesTransposed(shared.take(transposedFloats), given.recurrentKernel, units, units,
                          recurrentGates(resetAfter));
  const Packed candidate =
      packCandidate(shared.take(candidateFloats), given.recurrentKernel, units, true);
  float* const zeros = shared.take(mostTile);
  clear(zeros, mostTile);
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    float* const kernelGradient = own.take(gradientFloats);
    float* const recurrentGradient = kernelGradient + kernelFloats;
    float* const biasGradient = recurrentGradient + recurrentFloats;
    float* const candidateGradient = biasGradient + width;
    float* const gradients = own.take(gatesFloats);
    float* const fromLater = own.take(stateFloats);
    // The state's gradient but for what comes through the gates' products with it.
    float* const direct = own.take(stateFloats);
    float* const resetGradient = own.take(stateFloats);
    // Where the reset comes first: the candidate's gradients and r · h(t-1) of the steps together.
    float* const candidateSteps = own.take(together * stateFloats);
    float* const resetSteps = own.take(together * stateFloats);
    float* const spare = own.take(mostTile);
    clear(kernelGradient, gradientFloats);
    const ptrdiff_t stepFloats = static_cast<ptrdiff_t>(part.rows) * width;
    const ptrdiff_t stepUnits = static_cast<ptrdiff_t>(part.rows) * unitsWidth;
    float* const later = gradients + together * stepFloats;
    const Vector one = splat(1.0f);
    const auto rowOf = [&](int t) { return static_cast<ptrdiff_t>(t) * batch + part.first; };
    const auto throughGates = [&](const float* of) {
      for (int p = 0; p < recurrent.panels.count; p++) {
        const int column = recurrent.column(p);
        const Factors factors{of, width, recurrent.panel(p), width};
        multiplyPanel(part.rows, recurrent.vectors(p), direct + column, unitsWidth, &factors, 1,
                      fromLater + column, unitsWidth);
      }
    };
    padRows(given.lastStateGradient, part.first, fromLater, part.rows, units);

    for (int end = timesteps; end > 0; end -= together) {
      const int begin = end > together ? end - together : 0;
      const int steps = end - begin;
      for (int t = end - 1; t >= begin; t--) {
        float* const here = gradients + (t - begin) * stepFloats;
        float* const candidateStep = candidateSteps + (t - begin) * stepUnits;
        float* const resetStep = resetSteps + (t - begin) * stepUnits;
        if (t > 0) {
          const ptrdiff_t next = rowOf(t) - batch;
          const ptrdiff_t rowsUnits = static_cast<ptrdiff_t>(part.rows) * units;
          const ptrdiff_t rowsFeatures = static_cast<ptrdiff_t>(part.rows) * features;
          prefetch(given.gates + next * 4 * units, 4 * rowsUnits);
          if (t > 1) prefetch(given.outputs + (next - batch) * units, rowsUnits);
          if (given.outputsGradient != nullptr) {
            prefetch(given.outputsGradient + next * units, rowsUnits);
          }
          prefetch(given.inputs + next * features, rowsFeatures);
          prefetch(given.inputsGradient + next * features, rowsFeatures);
        }
        if (t < timesteps - 1) throughGates(t == end - 1 ? later : here + stepFloats);
        const float* const before = t > 0 ? given.outputs + (rowOf(t) - batch) * units
                                          : given.initialState + rowOf(0) * units;
        const auto gate = [&](int r, int which, int column) {
          return loadFirst(given.gates + ((rowOf(t) + r) * 4 + which) * units + column,
                           units - column);
        };
        for (int r = 0; r < part.rows; r++) {
          for (int column = 0; column < unitsWidth; column += lanes) {
            const ptrdiff_t at = static_cast<ptrdiff_t>(r) * units + column;
            const ptrdiff_t atPadded = static_cast<ptrdiff_t>(r) * unitsWidth + column;
            const Vector z = gate(r, 0, column), reset = gate(r, 1, column);
            const Vector h = gate(r, 2, column);
            const Vector previous = loadFirst(before + at, units - column);
            Vector gradient = load(fromLater + atPadded);
            if (given.outputsGradient != nullptr) {
              gradient += loadFirst(given.outputsGradient + rowOf(t) * units + at, units - column);
            }
            const Vector toCandidate = gradient * (one - z) * (one - h * h);
            float* const to = here + atPadded * 4;
            store(to, gradient * (previous - h) * z * (one - z));
            store(to + 2 * lanes, toCandidate);
            store(direct + atPadded, gradient * z);
            if (resetAfter) {
              const Vector ofState = gate(r, 3, column);
              store(to + lanes, toCandidate * ofState * reset * (one - reset));
              store(to + 3 * lanes, toCandidate * reset);
            } else {
              store(to + 3 * lanes, Vector{});
              store(candidateStep + atPadded, toCandidate);
              store(resetStep + atPadded, reset * previous);
            }
          }
        }
        if (resetAfter) continue;
        for (int p = 0; p < candidate.panels.count; p++) {
          const int column = candidate.column(p);
          const Factors factors{candidateStep, unitsWidth, candidate.panel(p), unitsWidth};
          multiplyPanel(part.rows, candidate.vectors(p), zeros, 0, &factors, 1,
                        resetGradient + column, unitsWidth);
        }
        for (int r = 0; r < part.rows; r++) {
          for (int column = 0; column < unitsWidth; column += lanes) {
            const ptrdiff_t atPadded = static_cast<ptrdiff_t>(r) * unitsWidth + column;
            const Vector reset = gate(r, 1, column);
            const Vector previous =
                loadFirst(before + static_cast<ptrdiff_t>(r) * units + column, units - column);
            const Vector through = load(resetGradient + atPadded);
            store(here + atPadded * 4 + lanes, through * previous * reset * (one - reset));
            store(direct + atPadded, load(direct + atPadded) + through * reset);
          }
        }
      }
      for (int t = begin; t < end; t++) {
        multiplyExactly(part.rows, gradients + (t - begin) * stepFloats, width, kernel, zeros,
                        given.inputsGradient + rowOf(t) * features, features, features, spare);
      }
      addSequenceGradients(given, part, begin, steps, gradients, width,
                           {kernelGradient, recurrentGradient, biasGradient});
      if (!resetAfter) {
        addOuter({resetSteps, stepUnits, unitsWidth}, units, steps, part.rows, candidateSteps,
                 unitsWidth, candidateGradient);
      }
      memcpy(later, gradients, sizeof(float) * stepFloats);
    }
    throughGates(later);
    unpadRows(fromLater, given.initialStateGradient + rowOf(0) * units, part.rows, units);
  });

  const float* next = memoryOfParts;
  sumGates(next, partFloats, parts.count, features, units, {0, 1, 2}, given.kernelGradient);
  next += kernelFloats;
  sumGates(next, partFloats, parts.count, units, units, {0, 1, resetAfter ? 3 : -1},
           given.recurrentKernelGradient);
  next += recurrentFloats;
  sumGates(next, partFloats, parts.count, 1, units, {0, 1, 2}, given.biasGradient);
  if (resetAfter) {
    sumGates(next, partFloats, parts.count, 1, units, {0, 1, 3}, given.biasGradient + 3 * units);
    return;
  }
  next += width;
  for (int row = 0; row < units; row++) {
    sumParts(next + static_cast<ptrdiff_t>(row) * unitsWidth, partFloats, parts.count, 1,
             Columns{units, 1},
             given.recurrentKernelGradient + static_cast<ptrdiff_t>(row) * 3 * units + 2 * units);
  }
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_GRU_H_
