// A dense layer, which over a picture's maps is a 1x1 convolution. See kernels.h for what is computed.
//
// Whoever computes a few rows at a time, as a sampler does pixel by pixel, packs the weights once with
// packDense and calls denseForwardRows. A row's result is
//   ((bias + the products in the order of the features) + residual)
// and has the same bits whatever rows are computed with it, here as in denseForward.

#ifndef TELETRAIN_KERNELS_DENSE_H_
#define TELETRAIN_KERNELS_DENSE_H_

#include "parts.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

// A layer ready to be computed. It points into the memory that it was packed into.
struct Dense {
  int features, units;
  bool relu;
  Packed kernel;
  const float* bias;
};

// Dense rows of memory; neither of `second` and `residual` needs to be there.
struct DenseRows {
  const float* inputs;    // [rows, features]
  const float* second;    // [rows, features], added to the inputs, or null
  const float* residual;  // [rows, units], added to the outputs, or null
  float* outputs;         // [rows, units], memory that nothing else here shares
};

// Rows whose activations are computed before their products: few enough to stay in the first cache.
constexpr int denseRowsTogether = 48;

// Floats of memory that packDense fills; aligned to 64 bytes like all that it is given.
inline ptrdiff_t denseFloats(int features, int units) {
  return Pieces::rounded(static_cast<ptrdiff_t>(features) * padded(units)) +
         Pieces::rounded(padded(units));
}

// Floats of scratch memory for denseForwardRows, of one thread.
inline ptrdiff_t denseScratch(int features) {
  return mostTile + Pieces::rounded(static_cast<ptrdiff_t>(denseRowsTogether) * features);
}

// `kernel` [features, units] and `bias` [units] may change afterwards.
inline Dense packDense(float* to, const float* kernel, const float* bias, int features, int units,
                       bool relu) {
  const Columns columns{units, 1};
  Pieces pieces(to);
  float* const packed = pieces.take(static_cast<ptrdiff_t>(features) * columns.width());
  float* const packedBias = pieces.take(columns.width());
  packBias(packedBias, bias, columns);
  return {features, units, relu, packColumns(packed, kernel, features, columns), packedBias};
}

// max(x, 0), and a NaN stays one.
TELETRAIN_INLINE Vector rectified(Vector x) { return select(x < splat(0.0f), splat(0.0f), x); }

// to = inputs + second, rectified if `relu`, element by element.
inline void activate(const float* inputs, const float* second, bool relu, ptrdiff_t count,
                     float* to) {
  for (ptrdiff_t i = 0; i < count; i += lanes) {
    const int left = count - i < lanes ? static_cast<int>(count - i) : lanes;
    Vector x = loadFirst(inputs + i, left);
    if (second != nullptr) x += loadFirst(second + i, left);
    storeFirst(to + i, relu ? rectified(x) : x, left);
  }
}

// out = start + left · right + residual in rows of `columns` floats; residual may be null, start is one
// row for all. A row that ends within a vector is written as a whole one where the next row, which is
// written after it, puts right what follows: of the floats from `out` on, `room` are these rows' and
// the next ones'. tile: mostTile floats.
inline void multiplyRows(int rows, const float* left, ptrdiff_t leftStride, const Packed& right,
                         const float* start, const float* residual, float* out, int columns,
                         ptrdiff_t room, float* tile) {
  for (int panel = 0; panel < right.panels.count; panel++) {
    const int vectors = right.vectors(panel);
    const int column = right.column(panel), width = vectors * lanes;
    const Groups groups(rows, mostRows(vectors));
    for (int group = 0; group < groups.count; group++) {
      const ptrdiff_t first = groups.first(group), size = groups.size(group);
      const Factors factors{left + first * leftStride, leftStride, right.panel(panel), right.depth};
      const bool fits = column + width <= columns ||
                        (right.panels.count == 1 && (first + size - 1) * columns + width <= room);
      const bool direct = residual == nullptr && fits;
      float* const to = out + first * columns + column;
      productTileOf(groups.size(group), vectors)(start + column, 0, &factors, 1,
                                                 direct ? to : tile, direct ? columns : width);
      if (direct) continue;
      for (int row = 0; row < size; row++) {
        for (int c = 0; c < width && column + c < columns; c += lanes) {
          const ptrdiff_t at = static_cast<ptrdiff_t>(row) * columns + c;
          const int wanted = columns - column - c;
          Vector sum = load(tile + row * width + c);
          if (residual != nullptr) sum += loadFirst(residual + first * columns + column + at, wanted);
          storeFirst(to + at, sum, wanted);
        }
      }
    }
  }
}

// `scratch`: denseScratch(features) floats, aligned to 64 bytes.
inline void denseForwardRows(const Dense& dense, const DenseRows& given, ptrdiff_t rows,
                             float* scratch) {
  float* const activated = scratch + mostTile;
  for (ptrdiff_t first = 0; first < rows; first += denseRowsTogether) {
    const int count = rows - first < denseRowsTogether ? static_cast<int>(rows - first)
                                                       : denseRowsTogether;
    const ptrdiff_t from = first * dense.features, to = first * dense.units;
    const float* left = given.inputs + from;
    if (dense.relu || given.second != nullptr) {
      activate(left, given.second == nullptr ? nullptr : given.second + from, dense.relu,
               static_cast<ptrdiff_t>(count) * dense.features, activated);
      left = activated;
    }
    multiplyRows(count, left, dense.features, dense.kernel, dense.bias,
                 given.residual == nullptr ? nullptr : given.residual + to, given.outputs + to,
                 dense.units, (rows - first) * dense.units, scratch);
  }
}

// Rows for each of the parts that a layer over many rows is divided into.
inline Groups denseParts(int rows) {
  const int most = ceilDivide(rows, 32);
  return Groups(rows, most < 256 ? 256 : most);
}

inline void denseForward(const DenseForward& given, Runtime& runtime) {
  const int features = given.size.features, units = given.size.units;
  const int secondOffset = given.size.secondOffset;
  const Groups parts = denseParts(given.size.rows);
  const ptrdiff_t scratchFloats = denseScratch(features);
  Pieces shared(runtime.allocate(denseFloats(features, units) + parts.count * scratchFloats));
  const Dense dense = packDense(shared.take(denseFloats(features, units)), given.kernel,
                                given.bias, features, units, given.size.relu);
  float* const scratch = shared.take(parts.count * scratchFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    float* const own = scratch + index * scratchFloats;
    const auto compute = [&](int first, int end, bool second) {
      if (first >= end) return;
      const ptrdiff_t from = static_cast<ptrdiff_t>(first) * features;
      const ptrdiff_t to = static_cast<ptrdiff_t>(first) * units;
      denseForwardRows(
          dense,
          {given.inputs + from,
           second ? given.second + from - static_cast<ptrdiff_t>(secondOffset) * features : nullptr,
           given.residual == nullptr ? nullptr : given.residual + to, given.outputs + to},
          end - first, own);
    };
    const int end = part.first + part.rows;
    // Rows before the offset have no second input.
    const int begins = given.second == nullptr ? end : secondOffset;
    const int split = begins < part.first ? part.first : begins > end ? end : begins;
    compute(part.first, split, false);
    compute(split, end, true);
  });
}

// Values become zero where `deciding` is not positive, as the gradient of max(x, 0) does.
inline void keepPositive(const float* deciding, ptrdiff_t count, float* values) {
  for (ptrdiff_t i = 0; i < count; i += lanes) {
    const int left = count - i < lanes ? static_cast<int>(count - i) : lanes;
    const Integers positive = loadFirst(deciding + i, left) > splat(0.0f);
    storeFirst(values + i, select(positive, loadFirst(values + i, left), splat(0.0f)), left);
  }
}

// Rows that are read as whole vectors.
struct VectorRows {
  const float* data;
  ptrdiff_t stride;
};

// Rows of `units` floats as rows of `width`. They are read where they are as long as that stays within
// the `available` floats, with other values in the rest of a row; else they are copied, the rest zero.
inline VectorRows vectorRows(const float* from, int rows, int units, int width,
                             ptrdiff_t available, float* copy) {
  if (static_cast<ptrdiff_t>(rows - 1) * units + width <= available) return {from, units};
  for (int row = 0; row < rows; row++) {
    for (int column = 0; column < width; column += lanes) {
      store(copy + static_cast<ptrdiff_t>(row) * width + column,
            loadFirst(from + static_cast<ptrdiff_t>(row) * units + column, units - column));
    }
  }
  return {copy, width};
}

// Adds leftᵀ · right to the first `columns` rows of `out`, each of `width`, and the sum of right's rows
// to the one after them. left: [rows, columns].
inline void addWeightGradients(const float* left, int columns, int rows, VectorRows right,
                               int width, float* out) {
  const Groups panels(width / lanes, mostVectors);
  for (int panel = 0; panel < panels.count; panel++) {
    const int vectors = panels.size(panel), column = panels.first(panel) * lanes;
    const Groups groups(columns, mostRows(vectors));
    for (int group = 0; group < groups.count; group++) {
      const int first = groups.first(group);
      outerTileOf(groups.size(group), vectors)(
          {left + first, 0, columns}, 1, rows, right.data + column, right.stride,
          out + static_cast<ptrdiff_t>(first) * width + column, width);
    }
  }
  float* const sums = out + static_cast<ptrdiff_t>(columns) * width;
  for (int column = 0; column < width; column += lanes) {
    Vector sum = load(sums + column);
    for (int row = 0; row < rows; row++) sum += load(right.data + row * right.stride + column);
    store(sums + column, sum);
  }
}

inline void denseBackward(const DenseBackward& given, Runtime& runtime) {
  const int features = given.size.features, units = given.size.units;
  const int secondOffset = given.size.secondOffset;
  const Columns columns{units, 1};
  const int width = columns.width();
  const Groups parts = denseParts(given.size.rows);
  const ptrdiff_t transposedFloats = static_cast<ptrdiff_t>(units) * padded(features);
  const ptrdiff_t activatedFloats = static_cast<ptrdiff_t>(denseRowsTogether) * features;
  const ptrdiff_t paddedFloats = static_cast<ptrdiff_t>(denseRowsTogether) * width;
  // Of the kernel and, as one more row, of the bias.
  const ptrdiff_t gradientFloats = static_cast<ptrdiff_t>(features + 1) * width;
  const ptrdiff_t partFloats = Pieces::rounded(activatedFloats) + Pieces::rounded(paddedFloats) +
                               Pieces::rounded(gradientFloats) + mostTile;
  const ptrdiff_t all = static_cast<ptrdiff_t>(given.size.rows) * units;
  Pieces shared(runtime.allocate(Pieces::rounded(transposedFloats) +
                                 Pieces::rounded(padded(features)) + parts.count * partFloats));
  const Packed transposed = pack(shared.take(transposedFloats), units,
                                 Columns{features, 1}.panels(), [&](int unit, int feature) {
                                   return feature < features
                                              ? given.kernel[static_cast<ptrdiff_t>(feature) * units +
                                                             unit]
                                              : 0.0f;
                                 });
  float* const zeros = shared.take(padded(features));
  clear(zeros, padded(features));
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    float* const gradients = own.take(gradientFloats);
    float* const activated = own.take(activatedFloats);
    float* const whole = own.take(paddedFloats);
    float* const spare = own.take(mostTile);
    clear(gradients, gradientFloats);
    const int end = part.first + part.rows;
    for (int first = part.first; first < end;) {
      int rows = end - first < denseRowsTogether ? end - first : denseRowsTogether;
      const bool second = given.second != nullptr && first >= secondOffset;
      if (given.second != nullptr && !second && secondOffset - first < rows) {
        rows = secondOffset - first;
      }
      const ptrdiff_t from = static_cast<ptrdiff_t>(first) * features;
      const ptrdiff_t count = static_cast<ptrdiff_t>(rows) * features;
      const float* left = given.inputs + from;
      if (given.size.relu || second) {
        activate(left,
                 second ? given.second + from - static_cast<ptrdiff_t>(secondOffset) * features
                        : nullptr,
                 given.size.relu, count, activated);
        left = activated;
      }
      const ptrdiff_t at = static_cast<ptrdiff_t>(first) * units;
      const float* const dy = given.outputsGradient + at;
      addWeightGradients(left, features, rows, vectorRows(dy, rows, units, width, all - at, whole),
                         width, gradients);
      float* const to = given.inputsGradient + from;
      multiplyRows(rows, dy, units, transposed, zeros, nullptr, to, features,
                   static_cast<ptrdiff_t>(end - first) * features, spare);
      if (given.size.relu) keepPositive(left, count, to);
      first += rows;
    }
  });

  sumParts(memoryOfParts, partFloats, parts.count, features, columns, given.kernelGradient);
  sumParts(memoryOfParts + static_cast<ptrdiff_t>(features) * width, partFloats, parts.count, 1,
           columns, given.biasGradient);
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_DENSE_H_
