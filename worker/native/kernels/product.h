// Matrix products on tiles small enough that their sums stay in registers. Every element of a product
// is summed in the order of the inner dimension, whatever the tile: a row's result does not depend on
// how many rows are computed with it.

#ifndef TELETRAIN_KERNELS_PRODUCT_H_
#define TELETRAIN_KERNELS_PRODUCT_H_

#include "vector.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

constexpr int mostVectors = 4;

// Rows of a tile of this many vectors: its sums, a row of factors and one more fit the registers.
constexpr int mostRows(int vectors) {
  return TELETRAIN_REGISTERS >= 32 ? (vectors == 1 ? 12 : 24 / vectors)
                                   : (vectors == 1 ? 8 : 12 / vectors);
}

constexpr int ceilDivide(int a, int b) { return (a + b - 1) / b; }
constexpr int padded(int columns) { return ceilDivide(columns, lanes) * lanes; }

// The parts of `total` things in the fewest groups of at most `most`, sizes as equal as can be.
struct Groups {
  int count, small, larger;

  constexpr Groups() : Groups(0, 1) {}
  constexpr Groups(int total, int most)
      : count(ceilDivide(total, most)),
        small(count == 0 ? 0 : total / count),
        larger(count == 0 ? 0 : total % count) {}
  constexpr int size(int group) const { return small + (group < larger ? 1 : 0); }
  constexpr int first(int group) const {
    return group * small + (group < larger ? group : larger);
  }
};

// How a matrix's columns are ordered for the kernels. A recurrence of several gates has the gates of
// `lanes` units side by side, so that one tile holds all that a unit needs; missing units are zero.
struct Columns {
  int units, gates;

  constexpr int unitBlocks() const { return ceilDivide(units, lanes); }
  constexpr int width() const { return unitBlocks() * lanes * gates; }
  constexpr Groups panels() const {
    return Groups(unitBlocks() * gates, gates == 1 ? mostVectors : gates);
  }
  // The column of the matrix as given, or -1 in the padding.
  constexpr int given(int column) const {
    const int unit = column / (lanes * gates) * lanes + column % lanes;
    return unit < units ? column / lanes % gates * units + unit : -1;
  }
};

// One product's left rows, element (row, k) at rows[row * stride + k], and its right panel, `depth`
// rows of as many vectors as the tile has.
struct Factors {
  const float* rows;
  ptrdiff_t stride;
  const float* panel;
  int depth;
};

// out = start + the sum of all factors' products.
template <int rows, int vectors>
void productTile(const float* start, ptrdiff_t startStride, const Factors* factors, int count,
                 float* out, ptrdiff_t outStride) {
  Vector sums[rows][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) sums[i][v] = load(start + i * startStride + v * lanes);
  }
  for (int f = 0; f < count; f++) {
    const float* left = factors[f].rows;
    const float* right = factors[f].panel;
    const ptrdiff_t stride = factors[f].stride;
    for (int k = 0; k < factors[f].depth; k++) {
      Vector row[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) row[v] = load(right + v * lanes);
#pragma GCC unroll 16
      for (int i = 0; i < rows; i++) {
        const Vector factor = splat(left[i * stride]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) sums[i][v] += factor * row[v];
      }
      left += 1;
      right += vectors * lanes;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) store(out + i * outStride + v * lanes, sums[i][v]);
  }
}

// Rows of a tensor over several steps: step s, row r at data[s * stepStride + r * rowStride]. A
// stride of zero repeats a row.
struct StepRows {
  const float* data;
  ptrdiff_t stepStride, rowStride;
};

// out(c, :) += the sum over all steps' rows of left(row, c) · right(row, :); right is contiguous rows
// of `rightStride`.
template <int columns, int vectors>
void outerTile(StepRows left, int steps, int rows, const float* right, ptrdiff_t rightStride,
               float* out, ptrdiff_t outStride) {
  Vector sums[columns][vectors];
#pragma GCC unroll 16
  for (int c = 0; c < columns; c++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) sums[c][v] = load(out + c * outStride + v * lanes);
  }
  for (int s = 0; s < steps; s++) {
    const float* factors = left.data + s * left.stepStride;
    for (int r = 0; r < rows; r++) {
      Vector row[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) row[v] = load(right + v * lanes);
#pragma GCC unroll 16
      for (int c = 0; c < columns; c++) {
        const Vector factor = splat(factors[c]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) sums[c][v] += factor * row[v];
      }
      factors += left.rowStride;
      right += rightStride;
    }
  }
#pragma GCC unroll 16
  for (int c = 0; c < columns; c++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) store(out + c * outStride + v * lanes, sums[c][v]);
  }
}

using ProductTile = void (*)(const float*, ptrdiff_t, const Factors*, int, float*, ptrdiff_t);
using OuterTile = void (*)(StepRows, int, int, const float*, ptrdiff_t, float*, ptrdiff_t);

template <int rows, int vectors>
struct Tiles {
  static ProductTile product(int wanted) {
    return wanted == rows ? productTile<rows, vectors>
                          : Tiles<rows - 1, vectors>::product(wanted);
  }
  static OuterTile outer(int wanted) {
    return wanted == rows ? outerTile<rows, vectors> : Tiles<rows - 1, vectors>::outer(wanted);
  }
};

template <int vectors>
struct Tiles<1, vectors> {
  static ProductTile product(int) { return productTile<1, vectors>; }
  static OuterTile outer(int) { return outerTile<1, vectors>; }
};

// The tile for 1 <= rows <= mostRows(vectors).
inline ProductTile productTileOf(int rows, int vectors) {
  switch (vectors) {
    case 1: return Tiles<mostRows(1), 1>::product(rows);
    case 2: return Tiles<mostRows(2), 2>::product(rows);
    case 3: return Tiles<mostRows(3), 3>::product(rows);
    default: return Tiles<mostRows(4), 4>::product(rows);
  }
}

inline OuterTile outerTileOf(int columns, int vectors) {
  switch (vectors) {
    case 1: return Tiles<mostRows(1), 1>::outer(columns);
    case 2: return Tiles<mostRows(2), 2>::outer(columns);
    case 3: return Tiles<mostRows(3), 3>::outer(columns);
    default: return Tiles<mostRows(4), 4>::outer(columns);
  }
}

// A matrix's rows in panels, each contiguous, for the right side of products.
struct Packed {
  const float* data;
  int depth;
  Groups panels;

  const float* panel(int index) const {
    return data + static_cast<ptrdiff_t>(panels.first(index)) * lanes * depth;
  }
  int vectors(int index) const { return panels.size(index); }
  // The panel's first column.
  int column(int index) const { return panels.first(index) * lanes; }
};

// Packs a matrix whose element is element(row, column), column in the kernels' order.
template <typename Element>
inline Packed pack(float* to, int depth, Groups panels, Element element) {
  float* next = to;
  for (int panel = 0; panel < panels.count; panel++) {
    const int first = panels.first(panel) * lanes;
    const int width = panels.size(panel) * lanes;
    for (int row = 0; row < depth; row++) {
      for (int column = 0; column < width; column++) *next++ = element(row, first + column);
    }
  }
  return {to, depth, panels};
}

// `matrix`, [depth, gates · units], with its columns in the kernels' order.
inline Packed packColumns(float* to, const float* matrix, int depth, Columns columns) {
  const ptrdiff_t stride = static_cast<ptrdiff_t>(columns.gates) * columns.units;
  const Groups panels = columns.panels();
  float* next = to;
  for (int panel = 0; panel < panels.count; panel++) {
    for (int row = 0; row < depth; row++) {
      for (int v = panels.first(panel); v < panels.first(panel) + panels.size(panel); v++) {
        const int left = columns.units - v / columns.gates * lanes;
        store(next, loadFirst(matrix + row * stride + columns.given(v * lanes), left));
        next += lanes;
      }
    }
  }
  return {to, depth, panels};
}

// `matrix` transposed: its columns, in the kernels' order, become the rows.
inline Packed packTransposed(float* to, const float* matrix, int rows, Columns columns) {
  const ptrdiff_t stride = static_cast<ptrdiff_t>(columns.gates) * columns.units;
  return pack(to, columns.width(), Columns{rows, 1}.panels(), [&](int row, int column) {
    const int given = columns.given(row);
    return given < 0 || column >= rows ? 0.0f : matrix[column * stride + given];
  });
}

inline void packBias(float* to, const float* bias, Columns columns) {
  for (int column = 0; column < columns.width(); column++) {
    const int given = columns.given(column);
    to[column] = given < 0 ? 0.0f : bias[given];
  }
}

// out = start + the factors' products, for one panel and any number of rows.
inline void multiplyPanel(int rows, int vectors, const float* start,
                                    ptrdiff_t startStride, const Factors* factors, int count,
                                    float* out, ptrdiff_t outStride) {
  const Groups groups(rows, mostRows(vectors));
  for (int group = 0; group < groups.count; group++) {
    const int first = groups.first(group);
    Factors here[3];
    for (int f = 0; f < count; f++) {
      here[f] = factors[f];
      here[f].rows += first * factors[f].stride;
    }
    productTileOf(groups.size(group), vectors)(start + first * startStride, startStride, here,
                                               count, out + first * outStride, outStride);
  }
}

// out = left · right, where out's rows have `columns` floats and nothing past them is written.
// `zeros` and `spare` hold a panel's row and a tile, mostTile floats each.
constexpr int mostTile = 24 * lanes;

inline void multiplyExactly(int rows, const float* left, ptrdiff_t leftStride,
                                      const Packed& right, const float* zeros, float* out,
                                      ptrdiff_t outStride, int columns, float* spare) {
  for (int panel = 0; panel < right.panels.count; panel++) {
    const int vectors = right.vectors(panel);
    const int column = right.column(panel);
    Factors factors{left, leftStride, right.panel(panel), right.depth};
    if (column + vectors * lanes <= columns) {
      multiplyPanel(rows, vectors, zeros, 0, &factors, 1, out + column, outStride);
      continue;
    }
    const Groups groups(rows, mostRows(vectors));
    for (int group = 0; group < groups.count; group++) {
      const int first = groups.first(group);
      Factors here = factors;
      here.rows += first * leftStride;
      const int width = vectors * lanes;
      productTileOf(groups.size(group), vectors)(zeros, 0, &here, 1, spare, width);
      for (int row = 0; row < groups.size(group); row++) {
        memcpy(out + (first + row) * outStride + column, spare + row * width,
               sizeof(float) * (columns - column));
      }
    }
  }
}

// out += leftᵀ · right over all steps' rows; left has `columns` columns, right `width`, a multiple
// of the lanes. out is [columns, width].
inline void addOuter(StepRows left, int columns, int steps, int rows, const float* right,
                               int width, float* out) {
  if (steps == 0) return;
  const Groups panels(width / lanes, mostVectors);
  for (int panel = 0; panel < panels.count; panel++) {
    const int vectors = panels.size(panel);
    const int column = panels.first(panel) * lanes;
    const Groups groups(columns, mostRows(vectors));
    for (int group = 0; group < groups.count; group++) {
      const int first = groups.first(group);
      const StepRows here{left.data + first, left.stepStride, left.rowStride};
      outerTileOf(groups.size(group), vectors)(here, steps, rows, right + column, width,
                                               out + static_cast<ptrdiff_t>(first) * width + column,
                                               width);
    }
  }
}

// out += the sum of the rows, each of `width` floats.
inline void addRows(const float* from, int rows, int width, float* out) {
  for (int column = 0; column < width; column += lanes) {
    Vector sum = load(out + column);
    for (int row = 0; row < rows; row++) {
      sum += load(from + static_cast<ptrdiff_t>(row) * width + column);
    }
    store(out + column, sum);
  }
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_PRODUCT_H_
