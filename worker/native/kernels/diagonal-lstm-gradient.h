// The gradients of PixelRNN's Diagonal LSTM: lines of pixels from the last to the first, in each the
// pixels in the opposite order of going forward.

#ifndef TELETRAIN_KERNELS_DIAGONAL_LSTM_GRADIENT_H_
#define TELETRAIN_KERNELS_DIAGONAL_LSTM_GRADIENT_H_

#include "diagonal-lstm.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

// A direction's weights for going back.
struct DiagonalTransposed {
  Packed kernel, upper, side;

  static ptrdiff_t floats(const PictureSize& size) {
    const ptrdiff_t width = Columns{size.units, 4}.width();
    return Pieces::rounded(width * padded(size.features)) +
           2 * Pieces::rounded(width * padded(size.units));
  }

  static DiagonalTransposed packed(Pieces& pieces, const DiagonalLstmBackward& given) {
    const int features = given.size.features, units = given.size.units;
    const Columns columns{units, 4};
    const ptrdiff_t width = columns.width();
    float* const kernel = pieces.take(width * padded(features));
    float* const upper = pieces.take(width * padded(units));
    float* const side = pieces.take(width * padded(units));
    const float* const recurrent = given.recurrentKernel;
    return {packTransposed(kernel, given.kernel, features, columns),
            packTransposed(upper, recurrent, units, columns),
            packTransposed(side, recurrent + static_cast<ptrdiff_t>(units) * 4 * units, units,
                           columns)};
  }
};

// A direction's gradients from one part, in the kernels' order; they follow each other in memory.
struct DiagonalGradients {
  float* kernel;        // [features, width]
  float* upper;         // [units, width]
  float* side;          // [units, width]
  float* bias;          // [width]
  float* upperOutside;  // [width]: the sums that all outside neighbours above got
  float* sideOutside;   // [width]: and those at the side
  float* cellOutside;   // [padded units]

  static ptrdiff_t floats(const PictureSize& size) {
    const ptrdiff_t width = Columns{size.units, 4}.width();
    return Pieces::rounded((size.features + 2 * size.units + 3) * width + padded(size.units));
  }

  static DiagonalGradients in(float* memory, const PictureSize& size) {
    const ptrdiff_t width = Columns{size.units, 4}.width();
    DiagonalGradients to{};
    to.kernel = memory;
    to.upper = to.kernel + size.features * width;
    to.side = to.upper + size.units * width;
    to.bias = to.side + size.units * width;
    to.upperOutside = to.bias + width;
    to.sideOutside = to.upperOutside + width;
    to.cellOutside = to.sideOutside + width;
    return to;
  }
};

// Memory of a part that going back needs.
struct DiagonalScratch {
  const float* zeros;   // mostTile floats
  float* fromLater;     // rows of padded units
  float* cellGradient;  // rows of padded units
  float* spare;         // mostTile floats
};

// The gates' gradients of one line of pixels of a part's examples, [columns, rows, width], from those
// of the line below; of the last line, `below` is not read.
inline void diagonalBackwardLine(const DiagonalLstmBackward& given,
                                 const DiagonalTransposed& weights, int row, Part part,
                                 const float* below, float* line, const DiagonalScratch& scratch,
                                 const DiagonalGradients& gradients) {
  const PictureSize size = given.size;
  const int units = size.units, columns = size.columns;
  const int width = Columns{units, 4}.width(), unitsWidth = padded(units);
  const Scan scan{columns, given.fromRight};
  const ptrdiff_t stepFloats = static_cast<ptrdiff_t>(part.rows) * width;
  const auto rowOf = [&](int pixel) {
    return static_cast<ptrdiff_t>(pixel) * size.batch + part.first;
  };
  clear(scratch.cellGradient, static_cast<ptrdiff_t>(part.rows) * unitsWidth);
  for (int scanned = columns - 1; scanned >= 0; scanned--) {
    const int column = scan.column(scanned);
    const int pixel = row * columns + column;
    if (scanned > 0) {
      const ptrdiff_t next = rowOf(pixel + scan.side()) * units;
      prefetch(given.gates + 4 * next, static_cast<ptrdiff_t>(part.rows) * 4 * units);
      prefetch(given.outputsGradient + next, static_cast<ptrdiff_t>(part.rows) * units);
      if (scanned > 1) {
        prefetch(given.cells + rowOf(pixel + 2 * scan.side()) * units,
                 static_cast<ptrdiff_t>(part.rows) * units);
      }
    }
    for (int p = 0; p < weights.upper.panels.count; p++) {
      Factors factors[2];
      int count = 0;
      if (scanned < columns - 1) {
        factors[count++] = {line + (column - scan.side()) * stepFloats, width,
                            weights.side.panel(p), width};
      }
      if (row < size.rows - 1) {
        factors[count++] = {below + column * stepFloats, width, weights.upper.panel(p), width};
      }
      multiplyPanel(part.rows, weights.upper.vectors(p), scratch.zeros, 0, factors, count,
                    scratch.fromLater + weights.upper.column(p), unitsWidth);
    }
    LstmBackwardCells from{};
    from.gates = given.gates + rowOf(pixel) * 4 * units;
    from.cells = given.cells + rowOf(pixel) * units;
    from.previousCells = given.initialCell;
    if (scanned > 0) {
      from.previousCells = given.cells + rowOf(pixel + scan.side()) * units;
      from.previousStride = units;
    }
    const int seenFrom = pixel + given.seenFrom;
    from.directGradient = seenFrom < size.rows * columns
                              ? given.outputsGradient + rowOf(seenFrom) * units
                              : nullptr;
    from.laterGradient = scratch.fromLater;
    lstmBackwardCells(from, line + column * stepFloats, scratch.cellGradient, part.rows, units);
  }
  addRows(scratch.cellGradient, part.rows, unitsWidth, gradients.cellOutside);
}

// Adds what a line's gates' gradients give to the weights' gradients.
inline void diagonalLineGradients(const DiagonalLstmBackward& given, int row, Part part,
                                  const float* line, const DiagonalGradients& to) {
  const PictureSize size = given.size;
  const int units = size.units, features = size.features, columns = size.columns;
  const int width = Columns{units, 4}.width();
  const ptrdiff_t batch = size.batch;
  const ptrdiff_t stepFloats = static_cast<ptrdiff_t>(part.rows) * width;
  const int first = row * columns;
  const auto rowOf = [&](int pixel) { return pixel * batch + part.first; };
  addOuter({given.inputs + rowOf(first) * features, batch * features, features}, features, columns,
           part.rows, line, width, to.kernel);
  addRows(line, columns * part.rows, width, to.bias);
  if (row > 0) {
    addOuter({given.outputs + rowOf(first - columns) * units, batch * units, units}, units, columns,
             part.rows, line, width, to.upper);
  } else {
    addOuter({given.initialOutput, 0, 0}, units, columns, part.rows, line, width, to.upper);
    addRows(line, columns * part.rows, width, to.upperOutside);
  }
  // The pixel at the side that the line is read from has no neighbour there; the others follow it.
  const int edge = given.fromRight ? columns - 1 : 0;
  const int others = given.fromRight ? 0 : 1;
  const int sides = given.fromRight ? 1 : 0;
  addOuter({given.initialOutput, 0, 0}, units, 1, part.rows, line + edge * stepFloats, width,
           to.side);
  addRows(line + edge * stepFloats, part.rows, width, to.sideOutside);
  addOuter({given.outputs + rowOf(first + sides) * units, batch * units, units}, units, columns - 1,
           part.rows, line + others * stepFloats, width, to.side);
}

// out = start + left · right in rows of `columns` floats, of which nothing past them is touched. start
// may be null for zero, or out.
inline void multiplyOnto(int rows, const float* left, ptrdiff_t leftStride, const Packed& right,
                         const float* start, float* out, int columns, const float* zeros,
                         float* spare) {
  if (start == nullptr) {
    return multiplyExactly(rows, left, leftStride, right, zeros, out, columns, columns, spare);
  }
  for (int panel = 0; panel < right.panels.count; panel++) {
    const int vectors = right.vectors(panel);
    const int column = right.column(panel), width = vectors * lanes;
    const Factors factors{left, leftStride, right.panel(panel), right.depth};
    if (column + width <= columns) {
      multiplyPanel(rows, vectors, start + column, columns, &factors, 1, out + column, columns);
      continue;
    }
    const Groups groups(rows, mostRows(vectors));
    for (int group = 0; group < groups.count; group++) {
      const ptrdiff_t first = groups.first(group);
      const auto forEachVector = [&](const auto& body) {
        for (int row = 0; row < groups.size(group); row++) {
          for (int c = 0; c < width && column + c < columns; c += lanes) {
            body(spare + row * width + c, (first + row) * columns + column + c,
                 columns - column - c);
          }
        }
      };
      clear(spare, static_cast<ptrdiff_t>(groups.size(group)) * width);
      forEachVector([&](float* at, ptrdiff_t place, int wanted) {
        store(at, loadFirst(start + place, wanted));
      });
      Factors here = factors;
      here.rows += first * leftStride;
      productTileOf(groups.size(group), vectors)(spare, width, &here, 1, spare, width);
      forEachVector([&](float* at, ptrdiff_t place, int wanted) {
        storeFirst(out + place, load(at), wanted);
      });
    }
  }
}

// Sums the parts' gradients; the first part's memory is used up. `partials` is the first part's.
inline void finishDiagonalGradients(const DiagonalLstmBackward& given,
                                    const DiagonalTransposed& weights,
                                    const DiagonalGradients& partials, ptrdiff_t partFloats,
                                    int parts, const float* zeros) {
  const int features = given.size.features, units = given.size.units;
  const Columns columns{units, 4};
  const int width = columns.width();
  sumParts(partials.kernel, partFloats, parts, features, columns, given.kernelGradient);
  sumParts(partials.upper, partFloats, parts, 2 * units, columns, given.recurrentKernelGradient);
  sumParts(partials.bias, partFloats, parts, 1, columns, given.biasGradient);
  for (int part = 1; part < parts; part++) {
    addRows(partials.upperOutside + part * partFloats, 1, 2 * width, partials.upperOutside);
  }
  for (int p = 0; p < weights.upper.panels.count; p++) {
    const Factors factors[] = {{partials.upperOutside, 0, weights.upper.panel(p), width},
                               {partials.sideOutside, 0, weights.side.panel(p), width}};
    const int vectors = weights.upper.vectors(p);
    float tile[mostVectors * lanes];
    multiplyPanel(1, vectors, zeros, 0, factors, 2, tile, 0);
    const int column = weights.upper.column(p);
    const int left = units - column < vectors * lanes ? units - column : vectors * lanes;
    memcpy(given.initialOutputGradient + column, tile, sizeof(float) * left);
  }
  sumParts(partials.cellOutside, partFloats, parts, 1, Columns{units, 1},
           given.initialCellGradient);
}

inline void diagonalLstmBackward(const DiagonalLstmBackward* directions, int count,
                                 const DiagonalInputsGradient& inputs, Runtime& runtime) {
  const PictureSize size = directions[0].size;
  const int features = size.features, units = size.units, columns = size.columns;
  const int width = Columns{units, 4}.width();
  const Groups parts = diagonalParts(size);
  const ptrdiff_t stateFloats = static_cast<ptrdiff_t>(parts.size(0)) * padded(units);
  const ptrdiff_t lineFloats = static_cast<ptrdiff_t>(columns) * parts.size(0) * width;
  const ptrdiff_t gradientFloats = DiagonalGradients::floats(size);
  const ptrdiff_t partFloats = 2 * Pieces::rounded(stateFloats) + mostTile +
                               count * (2 * Pieces::rounded(lineFloats) + gradientFloats);
  Pieces shared(runtime.allocate(count * DiagonalTransposed::floats(size) + mostTile +
                                 parts.count * partFloats));
  const DiagonalTransposed first = DiagonalTransposed::packed(shared, directions[0]);
  const DiagonalTransposed weights[mostDirections] = {
      first, count > 1 ? DiagonalTransposed::packed(shared, directions[1]) : first};
  float* const zeros = shared.take(mostTile);
  clear(zeros, mostTile);
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    DiagonalGradients gradients[mostDirections];
    // The gates' gradients of this line of pixels and of the one below.
    float* line[mostDirections];
    float* below[mostDirections];
    for (int d = 0; d < count; d++) {
      float* const memory = own.take(gradientFloats);
      clear(memory, gradientFloats);
      gradients[d] = DiagonalGradients::in(memory, size);
      line[d] = own.take(lineFloats);
      below[d] = own.take(lineFloats);
    }
    float* const fromLater = own.take(stateFloats);
    float* const cellGradient = own.take(stateFloats);
    const DiagonalScratch scratch{zeros, fromLater, cellGradient, own.take(mostTile)};
    const ptrdiff_t stepFloats = static_cast<ptrdiff_t>(part.rows) * width;

    for (int row = size.rows - 1; row >= 0; row--) {
      const float* start = inputs.added;
      for (int d = 0; d < count; d++) {
        diagonalBackwardLine(directions[d], weights[d], row, part, below[d], line[d], scratch,
                             gradients[d]);
        for (int column = 0; column < columns; column++) {
          const ptrdiff_t pixel = row * columns + column;
          const ptrdiff_t at = (pixel * size.batch + part.first) * features;
          multiplyOnto(part.rows, line[d] + column * stepFloats, width, weights[d].kernel,
                       start == nullptr ? nullptr : start + at, inputs.gradient + at, features,
                       zeros, scratch.spare);
        }
        start = inputs.gradient;
        diagonalLineGradients(directions[d], row, part, line[d], gradients[d]);
        float* const done = line[d];
        line[d] = below[d];
        below[d] = done;
      }
    }
  });

  float* memory = memoryOfParts;
  for (int d = 0; d < count; d++) {
    finishDiagonalGradients(directions[d], weights[d], DiagonalGradients::in(memory, size),
                            partFloats, parts.count, zeros);
    memory += gradientFloats + 2 * Pieces::rounded(lineFloats);
  }
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_DIAGONAL_LSTM_GRADIENT_H_
