// An LSTM's cells, `lanes` units of some rows at a time: one panel of the gates' columns.

#ifndef TELETRAIN_KERNELS_LSTM_CELL_H_
#define TELETRAIN_KERNELS_LSTM_CELL_H_

#include "parts.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

// Where a cell's values lie: the first row's, the rows following each other densely.
struct LstmCells {
  float* outputs;  // rows of `units`
  float* gates;    // rows of 4 · units, or null
  float* cells;    // rows of `units`, or null
};

// Row r's cells of one block, from `sums`, its i, f, c, o before their non-linearities, and from
// `state`, its cells before, which become the cells now.
TELETRAIN_INLINE void lstmForwardCell(const LstmCells& to, const float* sums, float* state, int r,
                                      int block, int units) {
  const int column = block * lanes;
  const int left = units - column;
  const Vector i = sigmoid(load(sums));
  const Vector f = sigmoid(load(sums + lanes));
  const Vector g = tanh(load(sums + 2 * lanes));
  const Vector o = sigmoid(load(sums + 3 * lanes));
  const Vector c = f * load(state) + i * g;
  store(state, c);
  const ptrdiff_t at = static_cast<ptrdiff_t>(r) * units + column;
  storeFirst(to.outputs + at, o * tanh(c), left);
  if (to.gates != nullptr) {
    float* const gates = to.gates + static_cast<ptrdiff_t>(r) * 4 * units + column;
    storeFirst(gates, i, left);
    storeFirst(gates + units, f, left);
    storeFirst(gates + 2 * units, g, left);
    storeFirst(gates + 3 * units, o, left);
    storeFirst(to.cells + at, c, left);
  }
}

// What the gradient of some rows' cells is computed from.
struct LstmBackwardCells {
  const float* gates;           // rows of 4 · units
  const float* cells;           // rows of `units`
  const float* previousCells;   // rows of previousStride
  ptrdiff_t previousStride;     // 0 where all rows have the same
  const float* directGradient;  // of the outputs, rows of `units`, or null for zeros
  const float* laterGradient;   // of the outputs, through what followed, rows of padded units
};

// Writes the gates' gradients before the non-linearities, rows of 4 · padded units in the kernels'
// order. `cellGradient`, rows of padded units, comes in as that of the cells through what followed and
// goes out as that of the previous cells.
inline void lstmBackwardCells(const LstmBackwardCells& from, float* to, float* cellGradient,
                              int rows, int units) {
  const int width = padded(units);
  const Vector one = splat(1.0f);
  for (int r = 0; r < rows; r++) {
    for (int column = 0; column < width; column += lanes) {
      const int left = units - column;
      const ptrdiff_t at = static_cast<ptrdiff_t>(r) * units + column;
      const ptrdiff_t atPadded = static_cast<ptrdiff_t>(r) * width + column;
      const float* const gates = from.gates + static_cast<ptrdiff_t>(r) * 4 * units + column;
      const Vector i = loadFirst(gates, left);
      const Vector f = loadFirst(gates + units, left);
      const Vector g = loadFirst(gates + 2 * units, left);
      const Vector o = loadFirst(gates + 3 * units, left);
      const Vector tanhCell = tanh(loadFirst(from.cells + at, left));
      const Vector previous =
          loadFirst(from.previousCells + r * from.previousStride + column, left);
      Vector output = load(from.laterGradient + atPadded);
      if (from.directGradient != nullptr) output += loadFirst(from.directGradient + at, left);
      const Vector cell =
          load(cellGradient + atPadded) + output * o * (one - tanhCell * tanhCell);
      float* const gradient = to + atPadded * 4;
      store(gradient, cell * g * i * (one - i));
      store(gradient + lanes, cell * previous * f * (one - f));
      store(gradient + 2 * lanes, cell * i * (one - g * g));
      store(gradient + 3 * lanes, output * tanhCell * o * (one - o));
      store(cellGradient + atPadded, cell * f);
    }
  }
}

// One step of `rows` rows: every panel's sums and cells, the factors but for their panels given;
// panelOf(factor, panel) gives those. `sums` holds 4 · lanes floats a row.
template <typename PanelOf>
void lstmForwardStep(const LstmCells& to, const float* bias, Groups panels, const Factors* factors,
                     int count, const PanelOf& panelOf, float* state, int rows, int units,
                     float* sums) {
  const ptrdiff_t width = padded(units);
  const Groups groups(rows, mostRows(4));
  for (int block = 0; block < panels.count; block++) {
    for (int group = 0; group < groups.count; group++) {
      const int first = groups.first(group), end = first + groups.size(group);
      Factors here[3];
      for (int f = 0; f < count; f++) {
        here[f] = factors[f];
        here[f].rows += first * factors[f].stride;
        here[f].panel = panelOf(f, block);
      }
      productTileOf(end - first, 4)(bias + block * 4 * lanes, 0, here, count, sums, 4 * lanes);
      // While the tile is in the nearest cache; the next tile's product begins before they are done.
      for (int r = first; r < end; r++) {
        lstmForwardCell(to, sums + (r - first) * 4 * lanes, state + r * width + block * lanes, r,
                        block, units);
      }
    }
  }
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_LSTM_CELL_H_
