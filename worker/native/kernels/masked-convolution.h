// A masked convolution over a picture's maps as they are: for every pixel the products of those taps
// of the kernel that are alive and inside the picture, in raster order; nothing else is ever read. See
// kernels.h for what is computed.
//
// Whoever computes one pixel at a time, as a sampler does, packs the weights once with
// packMaskedConvolution and calls maskedConvolutionForwardRows. A row's result is
//   bias + the products in the order of the taps and, within one, of the features
// and has the same bits whatever examples are computed with it, here as in maskedConvolutionForward.

#ifndef TELETRAIN_KERNELS_MASKED_CONVOLUTION_H_
#define TELETRAIN_KERNELS_MASKED_CONVOLUTION_H_

#include "dense.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

// A layer ready to be computed. It points into the memory that it was packed into.
struct MaskedConvolution {
  PictureSize size;
  int kernelSize, taps;
  // A pixel sees those before it; mirrored, those after it, which see it by the same tap.
  bool mirrored;
  Packed kernel;
  const float* bias;
};

// Taps of one product; where there are more, another product goes on from its sums.
constexpr int tapsTogether = 64;

// Floats of memory that packMaskedConvolution fills; aligned to 64 bytes like all that it is given.
inline ptrdiff_t maskedConvolutionFloats(const PictureSize& size, int taps) {
  return Pieces::rounded(static_cast<ptrdiff_t>(taps) * size.features * padded(size.units)) +
         Pieces::rounded(padded(size.units));
}

// Floats of scratch memory for maskedConvolutionForwardRows, of one thread.
constexpr ptrdiff_t maskedConvolutionScratch = mostTile;

// `kernel` [kernelSize, kernelSize, features, units], of which the first `taps` in raster order are
// alive, and `bias` [units] may change afterwards.
inline MaskedConvolution packMaskedConvolution(float* to, const float* kernel, const float* bias,
                                               const PictureSize& size, int kernelSize, int taps) {
  const Columns columns{size.units, 1};
  const int depth = taps * size.features;
  Pieces pieces(to);
  float* const packed = pieces.take(static_cast<ptrdiff_t>(depth) * columns.width());
  float* const packedBias = pieces.take(columns.width());
  packBias(packedBias, bias, columns);
  return {size, kernelSize, taps, false, packColumns(packed, kernel, depth, columns), packedBias};
}

// Calls body(tap, the pixel that it sees) for the taps inside the picture, in raster order.
template <typename Body>
void forEachTap(const PictureSize& size, int kernelSize, int taps, bool mirrored, int pixel,
                const Body& body) {
  const int reach = kernelSize / 2, sign = mirrored ? -1 : 1;
  const int row = pixel / size.columns, column = pixel % size.columns;
  for (int tap = 0; tap < taps; tap++) {
    const int seenRow = row + sign * (tap / kernelSize - reach);
    const int seenColumn = column + sign * (tap % kernelSize - reach);
    if (seenRow < 0 || seenRow >= size.rows || seenColumn < 0 || seenColumn >= size.columns) {
      continue;
    }
    body(tap, seenRow * size.columns + seenColumn);
  }
}

// Examples first .. first + rows - 1 at a pixel, counted in raster order.
//   maps     [rows · columns, batch, features], the pixels that the taps see filled in
//   outputs  [rows, units], memory that nothing else here shares
//   scratch  maskedConvolutionScratch floats, aligned to 64 bytes
inline void maskedConvolutionForwardRows(const MaskedConvolution& layer, const float* maps,
                                         int pixel, int first, int rows, float* outputs,
                                         float* scratch) {
  const int features = layer.size.features, units = layer.size.units;
  for (int panel = 0; panel < layer.kernel.panels.count; panel++) {
    const int vectors = layer.kernel.vectors(panel);
    const int column = layer.kernel.column(panel);
    const int width = vectors * lanes;
    const bool direct = column + width <= units;
    const Groups groups(rows, mostRows(vectors));
    for (int group = 0; group < groups.count; group++) {
      const int size = groups.size(group), begin = groups.first(group);
      const ProductTile multiply = productTileOf(size, vectors);
      float* const output = outputs + static_cast<ptrdiff_t>(begin) * units + column;
      float* const to = direct ? output : scratch;
      const ptrdiff_t stride = direct ? units : width;
      const float* start = layer.bias + column;
      ptrdiff_t startStride = 0;
      Factors seen[tapsTogether];
      int count = 0;
      const auto addSeen = [&] {
        multiply(start, startStride, seen, count, to, stride);
        start = to;
        startStride = stride;
        count = 0;
      };
      forEachTap(layer.size, layer.kernelSize, layer.taps, layer.mirrored, pixel, [&](int tap, int at) {
        if (count == tapsTogether) addSeen();
        const ptrdiff_t row = static_cast<ptrdiff_t>(at) * layer.size.batch + first + begin;
        seen[count++] = {maps + row * features, features,
                         layer.kernel.panel(panel) + static_cast<ptrdiff_t>(tap) * features * width,
                         features};
      });
      addSeen();
      for (int row = 0; !direct && row < size; row++) {
        memcpy(output + static_cast<ptrdiff_t>(row) * units, scratch + row * width,
               sizeof(float) * (units - column));
      }
    }
  }
}

// Pixels for each of the parts that a picture is divided into.
inline Groups maskedConvolutionParts(const PictureSize& size) {
  const int pixels = size.rows * size.columns;
  return Groups(pixels, ceilDivide(pixels, 32));
}

inline void maskedConvolutionForward(const MaskedConvolutionForward& given, Runtime& runtime) {
  const PictureSize size = given.size;
  const Groups parts = maskedConvolutionParts(size);
  const ptrdiff_t layerFloats = maskedConvolutionFloats(size, given.taps);
  Pieces shared(runtime.allocate(layerFloats + parts.count * maskedConvolutionScratch));
  const MaskedConvolution layer =
      packMaskedConvolution(shared.take(layerFloats), given.kernel, given.bias, size,
                            given.kernelSize, given.taps);
  float* const scratch = shared.take(parts.count * maskedConvolutionScratch);

  forEachPart(runtime, parts, [&](int index, Part part) {
    for (int pixel = part.first; pixel < part.first + part.rows; pixel++) {
      maskedConvolutionForwardRows(
          layer, given.inputs, pixel, 0, size.batch,
          given.outputs + static_cast<ptrdiff_t>(pixel) * size.batch * size.units,
          scratch + index * maskedConvolutionScratch);
    }
  });
}

// What the taps of rows first .. first + rows - 1, counted pixel by pixel and in a pixel example by
// example, see: [rows, taps · features], zero outside the picture.
inline void gatherTaps(const MaskedConvolutionBackward& given, int first, int rows, float* to) {
  const int batch = given.size.batch, features = given.size.features;
  const ptrdiff_t depth = static_cast<ptrdiff_t>(given.taps) * features;
  clear(to, rows * depth);
  while (rows > 0) {
    const int pixel = first / batch, example = first % batch;
    const int here = batch - example < rows ? batch - example : rows;
    forEachTap(given.size, given.kernelSize, given.taps, false, pixel, [&](int tap, int seen) {
      const float* from =
          given.inputs + (static_cast<ptrdiff_t>(seen) * batch + example) * features;
      float* at = to + static_cast<ptrdiff_t>(tap) * features;
      for (int row = 0; row < here; row++, at += depth) {
        for (int feature = 0; feature < features; feature++) at[feature] = *from++;
      }
    });
    to += here * depth;
    first += here;
    rows -= here;
  }
}

inline void maskedConvolutionBackward(const MaskedConvolutionBackward& given, Runtime& runtime) {
  const PictureSize size = given.size;
  const int units = size.units, features = size.features;
  const Columns columns{units, 1};
  const int width = columns.width(), depth = given.taps * features;
  const Groups parts = maskedConvolutionParts(size);
  const int rowsTogether = denseRowsTogether;
  const ptrdiff_t seenFloats = static_cast<ptrdiff_t>(rowsTogether) * depth;
  const ptrdiff_t paddedFloats = static_cast<ptrdiff_t>(rowsTogether) * width;
  // Of the live taps and, as one more row, of the bias.
  const ptrdiff_t gradientFloats = static_cast<ptrdiff_t>(depth + 1) * width;
  const ptrdiff_t partFloats = Pieces::rounded(seenFloats) + Pieces::rounded(paddedFloats) +
                               Pieces::rounded(gradientFloats) + maskedConvolutionScratch;
  const ptrdiff_t all = static_cast<ptrdiff_t>(size.rows) * size.columns * size.batch * units;
  const PictureSize back{size.rows, size.columns, size.batch, units, features};
  const ptrdiff_t transposedFloats =
      static_cast<ptrdiff_t>(given.taps) * units * padded(features);
  Pieces shared(runtime.allocate(Pieces::rounded(transposedFloats) +
                                 Pieces::rounded(padded(features)) + parts.count * partFloats));
  MaskedConvolution transposed{back, given.kernelSize, given.taps, true,
                               Packed{nullptr, 0, Groups(0, 1)}, nullptr};
  if (given.inputsGradient != nullptr) {
    transposed.kernel = pack(
        shared.take(transposedFloats), given.taps * units, Columns{features, 1}.panels(),
        [&](int row, int feature) {
          const ptrdiff_t tap = row / units;
          return feature < features ? given.kernel[(tap * features + feature) * units + row % units]
                                    : 0.0f;
        });
    float* const zeros = shared.take(padded(features));
    clear(zeros, padded(features));
    transposed.bias = zeros;
  }
  float* const memoryOfParts = shared.take(parts.count * partFloats);

  forEachPart(runtime, parts, [&](int index, Part part) {
    Pieces own(memoryOfParts + index * partFloats);
    float* const gradients = own.take(gradientFloats);
    float* const seen = own.take(seenFloats);
    float* const whole = own.take(paddedFloats);
    float* const scratch = own.take(maskedConvolutionScratch);
    clear(gradients, gradientFloats);
    const int end = (part.first + part.rows) * size.batch;
    for (int first = part.first * size.batch; first < end; first += rowsTogether) {
      const int rows = end - first < rowsTogether ? end - first : rowsTogether;
      gatherTaps(given, first, rows, seen);
      const ptrdiff_t at = static_cast<ptrdiff_t>(first) * units;
      addWeightGradients(
          seen, depth, rows,
          vectorRows(given.outputsGradient + at, rows, units, width, all - at, whole), width,
          gradients);
    }
    for (int pixel = part.first; given.inputsGradient != nullptr && pixel < part.first + part.rows;
         pixel++) {
      maskedConvolutionForwardRows(
          transposed, given.outputsGradient, pixel, 0, size.batch,
          given.inputsGradient + static_cast<ptrdiff_t>(pixel) * size.batch * features, scratch);
    }
  });

  sumParts(memoryOfParts, partFloats, parts.count, depth, columns, given.kernelGradient);
  const ptrdiff_t hidden = static_cast<ptrdiff_t>(given.kernelSize) * given.kernelSize - given.taps;
  clear(given.kernelGradient + static_cast<ptrdiff_t>(depth) * units, hidden * features * units);
  sumParts(memoryOfParts + static_cast<ptrdiff_t>(depth) * width, partFloats, parts.count, 1,
           columns, given.biasGradient);
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_MASKED_CONVOLUTION_H_
