// PixelRNN's Diagonal LSTM on the picture as it is: its pixels in raster order, from the side that it
// reads from, so that both neighbours are there before each pixel. Both directions of a layer go over
// a line of pixels one after the other, while its maps are in the cache. See kernels.h for what is
// computed.

#ifndef TELETRAIN_KERNELS_DIAGONAL_LSTM_H_
#define TELETRAIN_KERNELS_DIAGONAL_LSTM_H_

#include "lstm-cell.h"
#include "streaming.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

// Directions of one layer.
constexpr int mostDirections = 2;

// The order in which a direction goes over a line's pixels.
struct Scan {
  int columns;
  bool fromRight;

  int column(int scanned) const { return fromRight ? columns - 1 - scanned : scanned; }
  // From a pixel to the one that its state comes from.
  int side() const { return fromRight ? 1 : -1; }
};

inline Groups diagonalParts(const PictureSize& size) {
  return partsOf(size.batch,
                 static_cast<long long>(size.features + 2 * size.units) * 4 * size.units);
}

// A direction's weights for going forward.
struct DiagonalWeights {
  Packed kernel, upper, side;
  const float* bias;

  static ptrdiff_t floats(const PictureSize& size) {
    const int width = Columns{size.units, 4}.width();
    return Pieces::rounded(static_cast<ptrdiff_t>(size.features) * width) +
           2 * Pieces::rounded(static_cast<ptrdiff_t>(size.units) * width) + Pieces::rounded(width);
  }

  static DiagonalWeights packed(Pieces& pieces, const DiagonalLstmForward& given) {
    const int features = given.size.features, units = given.size.units;
    const Columns columns{units, 4};
    const ptrdiff_t width = columns.width();
    float* const kernel = pieces.take(features * width);
    float* const upper = pieces.take(units * width);
    float* const side = pieces.take(units * width);
    float* const bias = pieces.take(width);
    packBias(bias, given.bias, columns);
    const float* const recurrent = given.recurrentKernel;
    return {packColumns(kernel, given.kernel, features, columns),
            packColumns(upper, recurrent, units, columns),
            packColumns(side, recurrent + static_cast<ptrdiff_t>(units) * 4 * units, units, columns),
            bias};
  }
};

// Memory of a part that going forward needs.
struct DiagonalForwardScratch {
  float* sums;   // a panel's rows
  float* state;  // rows of padded units
  // Rows of 4 · units and of units, on their way to memory that is not read again soon; or null.
  float* gates;
  float* cells;
};

// One line of pixels of a part's examples.
inline void diagonalForwardLine(const DiagonalLstmForward& given, const DiagonalWeights& weights,
                                int row, Part part, const DiagonalForwardScratch& scratch) {
  const int features = given.size.features, units = given.size.units;
  const int columns = given.size.columns, unitsWidth = padded(units);
  const Scan scan{columns, given.fromRight};
  const Packed* const rights[] = {&weights.kernel, &weights.upper, &weights.side};
  const auto panelOf = [&](int factor, int panel) { return rights[factor]->panel(panel); };
  const auto rowOf = [&](int pixel) {
    return static_cast<ptrdiff_t>(pixel) * given.size.batch + part.first;
  };
  for (int r = 0; r < part.rows; r++) {
    for (int column = 0; column < unitsWidth; column += lanes) {
      store(scratch.state + static_cast<ptrdiff_t>(r) * unitsWidth + column,
            loadFirst(given.initialCell + column, units - column));
    }
  }
  for (int scanned = 0; scanned < columns; scanned++) {
    const int pixel = row * columns + scan.column(scanned);
    Factors factors[] = {
        {given.inputs + rowOf(pixel) * features, features, nullptr, features},
        {given.initialOutput, 0, nullptr, units},
        {given.initialOutput, 0, nullptr, units},
    };
    if (row > 0) {
      factors[1].rows = given.outputs + rowOf(pixel - columns) * units;
      factors[1].stride = units;
    }
    if (scanned > 0) {
      factors[2].rows = given.outputs + rowOf(pixel + scan.side()) * units;
      factors[2].stride = units;
    }
    LstmCells to{given.outputs + rowOf(pixel) * units, nullptr, nullptr};
    float* const gates = given.gates == nullptr ? nullptr : given.gates + rowOf(pixel) * 4 * units;
    float* const cells = given.gates == nullptr ? nullptr : given.cells + rowOf(pixel) * units;
    const bool streams = gates != nullptr && scratch.gates != nullptr;
    to.gates = streams ? scratch.gates : gates;
    to.cells = streams ? scratch.cells : cells;
    lstmForwardStep(to, weights.bias, weights.kernel.panels, factors, 3, panelOf, scratch.state,
                    part.rows, units, scratch.sums);
    if (streams) {
      const ptrdiff_t count = static_cast<ptrdiff_t>(part.rows) * units;
      copyStreaming(gates, scratch.gates, 4 * count);
      copyStreaming(cells, scratch.cells, count);
    }
  }
}

inline void diagonalLstmForward(const DiagonalLstmForward* directions, int count,
                                Runtime& runtime) {
  const PictureSize size = directions[0].size;
  const Groups parts = diagonalParts(size);
  const ptrdiff_t sumsFloats = static_cast<ptrdiff_t>(parts.size(0)) * 4 * lanes;
  const ptrdiff_t stateFloats = static_cast<ptrdiff_t>(parts.size(0)) * padded(size.units);
  const ptrdiff_t keptFloats = static_cast<ptrdiff_t>(parts.size(0)) * size.units;
  const ptrdiff_t partFloats = Pieces::rounded(sumsFloats) + Pieces::rounded(stateFloats) +
                               5 * Pieces::rounded(keptFloats);
  const ptrdiff_t keptBytes = static_cast<ptrdiff_t>(sizeof(float)) * 5 * count * size.rows *
                              size.columns * size.batch * size.units;
  const bool streams = directions[0].gates != nullptr && keptBytes > leastStreamedBytes;
  Pieces shared(runtime.allocate(count * DiagonalWeights::floats(size) +
                                 parts.count * partFloats));
  const DiagonalWeights first = DiagonalWeights::packed(shared, directions[0]);
  const DiagonalWeights weights[mostDirections] = {
      first, count > 1 ? DiagonalWeights::packed(shared, directions[1]) : first};
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    DiagonalForwardScratch scratch{};
    scratch.sums = own.take(sumsFloats);
    scratch.state = own.take(stateFloats);
    if (streams) {
      scratch.gates = own.take(4 * keptFloats);
      scratch.cells = own.take(keptFloats);
    }
    for (int row = 0; row < size.rows; row++) {
      for (int d = 0; d < count; d++) {
        diagonalForwardLine(directions[d], weights[d], row, part, scratch);
      }
    }
    if (streams) endStreaming();
  });
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_DIAGONAL_LSTM_H_
