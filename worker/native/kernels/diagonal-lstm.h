// PixelRNN's Diagonal LSTM on the picture as it is: its pixels in raster order, from the side that it
// reads from, so that both neighbours are there before each pixel. See kernels.h for what is computed.

#ifndef TELETRAIN_KERNELS_DIAGONAL_LSTM_H_
#define TELETRAIN_KERNELS_DIAGONAL_LSTM_H_

#include "lstm-cell.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

inline void diagonalLstmForward(const DiagonalLstmForward& given, Runtime& runtime) {
  const int batch = given.size.batch, features = given.size.features, units = given.size.units;
  const int pictureRows = given.size.rows, pictureColumns = given.size.columns;
  const Columns columns{units, 4};
  const int width = columns.width(), unitsWidth = padded(units);
  const Groups parts = partsOf(batch, static_cast<long long>(features + 2 * units) * 4 * units);
  const ptrdiff_t kernelFloats = static_cast<ptrdiff_t>(features) * width;
  const ptrdiff_t recurrentFloats = static_cast<ptrdiff_t>(units) * width;
  const ptrdiff_t sumsFloats = static_cast<ptrdiff_t>(parts.size(0)) * 4 * lanes;
  const ptrdiff_t stateFloats = static_cast<ptrdiff_t>(parts.size(0)) * unitsWidth;
  const ptrdiff_t partFloats = Pieces::rounded(sumsFloats) + Pieces::rounded(stateFloats);
  Pieces shared(runtime.allocate(Pieces::rounded(kernelFloats) +
                                 2 * Pieces::rounded(recurrentFloats) + Pieces::rounded(width) +
                                 parts.count * partFloats));
  const Packed kernel =
      packColumns(shared.take(kernelFloats), given.kernel, features, columns);
  const Packed upper =
      packColumns(shared.take(recurrentFloats), given.recurrentKernel, units, columns);
  const Packed side = packColumns(
      shared.take(recurrentFloats),
      given.recurrentKernel + static_cast<ptrdiff_t>(units) * 4 * units, units, columns);
  float* const bias = shared.take(width);
  packBias(bias, given.bias, columns);
  const Packed* const rights[] = {&kernel, &upper, &side};
  const auto panelOf = [&](int factor, int panel) { return rights[factor]->panel(panel); };
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    float* const sums = own.take(sumsFloats);
    float* const state = own.take(stateFloats);
    for (int row = 0; row < pictureRows; row++) {
      for (int r = 0; r < part.rows; r++) {
        for (int column = 0; column < unitsWidth; column += lanes) {
          store(state + static_cast<ptrdiff_t>(r) * unitsWidth + column,
                loadFirst(given.initialCell + column, units - column));
        }
      }
      for (int scanned = 0; scanned < pictureColumns; scanned++) {
        const int column = given.fromRight ? pictureColumns - 1 - scanned : scanned;
        const int pixel = row * pictureColumns + column;
        const int beside = given.fromRight ? pixel + 1 : pixel - 1;
        const auto rowOf = [&](int at) { return static_cast<ptrdiff_t>(at) * batch + part.first; };
        Factors factors[] = {
            {given.inputs + rowOf(pixel) * features, features, nullptr, features},
            {given.initialOutput, 0, nullptr, units},
            {given.initialOutput, 0, nullptr, units},
        };
        if (row > 0) {
          factors[1].rows = given.outputs + rowOf(pixel - pictureColumns) * units;
          factors[1].stride = units;
        }
        if (scanned > 0) {
          factors[2].rows = given.outputs + rowOf(beside) * units;
          factors[2].stride = units;
        }
        LstmCells to{given.outputs + rowOf(pixel) * units, nullptr, nullptr};
        if (given.gates != nullptr) {
          to.gates = given.gates + rowOf(pixel) * 4 * units;
          to.cells = given.cells + rowOf(pixel) * units;
        }
        lstmForwardStep(to, bias, kernel.panels, factors, 3, panelOf, state, part.rows, units,
                        sums);
      }
    }
  });
}

inline void diagonalLstmBackward(const DiagonalLstmBackward& given, Runtime& runtime) {
  const int batch = given.size.batch, features = given.size.features, units = given.size.units;
  const int pictureRows = given.size.rows, pictureColumns = given.size.columns;
  const Columns columns{units, 4};
  const int width = columns.width(), unitsWidth = padded(units);
  const Groups parts = partsOf(batch, static_cast<long long>(features + 2 * units) * 4 * units);
  const ptrdiff_t recurrentFloats = static_cast<ptrdiff_t>(units) * width;
  const ptrdiff_t kernelFloats = static_cast<ptrdiff_t>(features) * width;
  // Of the kernel, the recurrent kernel, the bias; of the sums that all outside neighbours got, the
  // upper ones' and the ones' at the side; of the initial cell.
  const ptrdiff_t gradientFloats = kernelFloats + 2 * recurrentFloats + 3 * width + unitsWidth;
  const ptrdiff_t stateFloats = static_cast<ptrdiff_t>(parts.size(0)) * unitsWidth;
  const ptrdiff_t lineFloats =
      static_cast<ptrdiff_t>(pictureColumns) * parts.size(0) * width;
  const ptrdiff_t partFloats = 2 * Pieces::rounded(stateFloats) + 2 * Pieces::rounded(lineFloats) +
                               Pieces::rounded(gradientFloats) + mostTile;
  const ptrdiff_t featuresFloats = static_cast<ptrdiff_t>(width) * padded(features);
  const ptrdiff_t transposedFloats = static_cast<ptrdiff_t>(width) * unitsWidth;
  Pieces shared(runtime.allocate(Pieces::rounded(featuresFloats) +
                                 2 * Pieces::rounded(transposedFloats) + mostTile +
                                 parts.count * partFloats));
  const Packed kernel =
      packTransposed(shared.take(featuresFloats), given.kernel, features, columns);
  const Packed upper =
      packTransposed(shared.take(transposedFloats), given.recurrentKernel, units, columns);
  const Packed side = packTransposed(
      shared.take(transposedFloats),
      given.recurrentKernel + static_cast<ptrdiff_t>(units) * 4 * units, units, columns);
  float* const zeros = shared.take(mostTile);
  clear(zeros, mostTile);
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    float* const kernelGradient = own.take(gradientFloats);
    float* const upperGradient = kernelGradient + kernelFloats;
    float* const sideGradient = upperGradient + recurrentFloats;
    float* const biasGradient = sideGradient + recurrentFloats;
    float* const upperOutside = biasGradient + width;
    float* const sideOutside = upperOutside + width;
    float* const cellOutside = sideOutside + width;
    float* const fromLater = own.take(stateFloats);
    float* const cellGradient = own.take(stateFloats);
    // The gates' gradients of this line of pixels and of the one below.
    float* line = own.take(lineFloats);
    float* below = own.take(lineFloats);
    float* const spare = own.take(mostTile);
    clear(kernelGradient, gradientFloats);
    const ptrdiff_t stepFloats = static_cast<ptrdiff_t>(part.rows) * width;
    const auto rowOf = [&](int pixel) { return static_cast<ptrdiff_t>(pixel) * batch + part.first; };

    for (int row = pictureRows - 1; row >= 0; row--) {
      clear(cellGradient, static_cast<ptrdiff_t>(part.rows) * unitsWidth);
      for (int scanned = pictureColumns - 1; scanned >= 0; scanned--) {
        const int column = given.fromRight ? pictureColumns - 1 - scanned : scanned;
        const int later = given.fromRight ? column - 1 : column + 1;
        const int pixel = row * pictureColumns + column;
        for (int p = 0; p < upper.panels.count; p++) {
          Factors factors[2];
          int count = 0;
          if (scanned < pictureColumns - 1) {
            factors[count++] = {line + later * stepFloats, width, side.panel(p), width};
          }
          if (row < pictureRows - 1) {
            factors[count++] = {below + column * stepFloats, width, upper.panel(p), width};
          }
          multiplyPanel(part.rows, upper.vectors(p), zeros, 0, factors, count,
                        fromLater + upper.column(p), unitsWidth);
        }
        LstmBackwardCells from{};
        from.gates = given.gates + rowOf(pixel) * 4 * units;
        from.cells = given.cells + rowOf(pixel) * units;
        from.previousCells = given.initialCell;
        if (scanned > 0) {
          from.previousCells = given.cells + rowOf(given.fromRight ? pixel + 1 : pixel - 1) * units;
          from.previousStride = units;
        }
        from.directGradient = given.outputsGradient + rowOf(pixel) * units;
        from.laterGradient = fromLater;
        lstmBackwardCells(from, line + column * stepFloats, cellGradient, part.rows, units);
      }
      addRows(cellGradient, part.rows, unitsWidth, cellOutside);

      const int first = row * pictureColumns;
      for (int column = 0; column < pictureColumns; column++) {
        multiplyExactly(part.rows, line + column * stepFloats, width, kernel, zeros,
                        given.inputsGradient + rowOf(first + column) * features, features,
                        features, spare);
      }
      const ptrdiff_t stepOfInputs = static_cast<ptrdiff_t>(batch) * features;
      const ptrdiff_t stepOfOutputs = static_cast<ptrdiff_t>(batch) * units;
      addOuter({given.inputs + rowOf(first) * features, stepOfInputs, features}, features,
               pictureColumns, part.rows, line, width, kernelGradient);
      addRows(line, pictureColumns * part.rows, width, biasGradient);
      if (row > 0) {
        addOuter({given.outputs + rowOf(first - pictureColumns) * units, stepOfOutputs, units},
                 units, pictureColumns, part.rows, line, width, upperGradient);
      } else {
        addOuter({given.initialOutput, 0, 0}, units, pictureColumns, part.rows, line, width,
                 upperGradient);
        addRows(line, pictureColumns * part.rows, width, upperOutside);
      }
      // The pixel at the side that the line is read from has no neighbour there; the others follow it.
      const int edge = given.fromRight ? pictureColumns - 1 : 0;
      const int others = given.fromRight ? 0 : 1;
      const int sides = given.fromRight ? 1 : 0;
      addOuter({given.initialOutput, 0, 0}, units, 1, part.rows, line + edge * stepFloats, width,
               sideGradient);
      addRows(line + edge * stepFloats, part.rows, width, sideOutside);
      addOuter({given.outputs + rowOf(first + sides) * units, stepOfOutputs, units}, units,
               pictureColumns - 1, part.rows, line + others * stepFloats, width, sideGradient);
      float* const done = line;
      line = below;
      below = done;
    }
  });

  const float* next = memoryOfParts;
  sumParts(next, partFloats, parts.count, features, columns, given.kernelGradient);
  next += kernelFloats;
  sumParts(next, partFloats, parts.count, 2 * units, columns, given.recurrentKernelGradient);
  next += 2 * recurrentFloats;
  sumParts(next, partFloats, parts.count, 1, columns, given.biasGradient);
  next += width;
  // From here on in place, into the first part's.
  float* const upperOutside = memoryOfParts + (next - memoryOfParts);
  float* const sideOutside = upperOutside + width;
  for (int part = 1; part < parts.count; part++) {
    addRows(upperOutside + part * partFloats, 1, 2 * width, upperOutside);
  }
  const Factors factors[] = {{upperOutside, 0, nullptr, width}, {sideOutside, 0, nullptr, width}};
  for (int p = 0; p < upper.panels.count; p++) {
    Factors here[] = {factors[0], factors[1]};
    here[0].panel = upper.panel(p);
    here[1].panel = side.panel(p);
    const int vectors = upper.vectors(p);
    float tile[mostVectors * lanes];
    multiplyPanel(1, vectors, zeros, 0, here, 2, tile, 0);
    const int column = upper.column(p);
    const int left = units - column < vectors * lanes ? units - column : vectors * lanes;
    memcpy(given.initialOutputGradient + column, tile, sizeof(float) * left);
  }
  sumParts(sideOutside + width, partFloats, parts.count, 1, Columns{units, 1},
           given.initialCellGradient);
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_DIAGONAL_LSTM_H_
