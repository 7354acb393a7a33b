// Rows of pictures pixel by pixel, each pixel's work done once, by the very functions that compute a
// whole picture: a logit has the bits that it has there. See kernels.h for what is computed.
//
// A diagonal layer's left direction at a pixel needs the pixels before and above it. Its right one is
// only seen from the row below, so it goes over a row when that row's last pixel is known. Between
// rows nothing is kept but both directions' outputs in the last one.

#ifndef TELETRAIN_KERNELS_PICTURE_SAMPLER_H_
#define TELETRAIN_KERNELS_PICTURE_SAMPLER_H_

#include "dense.h"
#include "diagonal-lstm.h"
#include "masked-convolution.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

// One direction of a diagonal layer, ready to be computed.
struct SampledDirection {
  DiagonalWeights weights;
  const float* initialOutput;
  const float* initialCell;
};

struct SampledLayer {
  SampledDirection left, right;
  Dense upsample;
};

// The network's weights as they are computed with.
struct SampledNetwork {
  MaskedConvolution input;
  SampledLayer layers[mostSampledLayers];
  Dense dense[mostSampledDense];

  static ptrdiff_t floats(const SampledRows& given) {
    ptrdiff_t total = maskedConvolutionFloats(given.size, given.taps) +
                      given.layerCount * (2 * DiagonalWeights::floats(diagonalSize(given)) +
                                          denseFloats(given.units, given.size.units));
    for (int d = 0; d < given.denseCount; d++) {
      total += denseFloats(given.dense[d].features, given.dense[d].units);
    }
    return total;
  }

  void pack(Pieces& pieces, const SampledRows& given) {
    const int maps = given.size.units, units = given.units;
    input = packMaskedConvolution(pieces.take(maskedConvolutionFloats(given.size, given.taps)),
                                  given.inputKernel, given.inputBias, given.size, given.kernelSize,
                                  given.taps);
    for (int l = 0; l < given.layerCount; l++) {
      const SampledLayerWeights& weights = given.layers[l];
      layers[l].left = direction(pieces, weights.left, diagonalSize(given));
      layers[l].right = direction(pieces, weights.right, diagonalSize(given));
      layers[l].upsample = packDense(pieces.take(denseFloats(units, maps)), weights.upsampleKernel,
                                     weights.upsampleBias, units, maps, false);
    }
    for (int d = 0; d < given.denseCount; d++) {
      const SampledDenseWeights& weights = given.dense[d];
      dense[d] = packDense(pieces.take(denseFloats(weights.features, weights.units)),
                           weights.kernel, weights.bias, weights.features, weights.units,
                           weights.relu);
    }
  }

 private:
  static PictureSize diagonalSize(const SampledRows& given) {
    return {given.size.rows, given.size.columns, given.size.batch, given.size.units, given.units};
  }

  static SampledDirection direction(Pieces& pieces, const SampledDirectionWeights& given,
                                    const PictureSize& size) {
    DiagonalLstmForward weights{};
    weights.size = size;
    weights.kernel = given.kernel;
    weights.recurrentKernel = given.recurrentKernel;
    weights.bias = given.bias;
    return {DiagonalWeights::packed(pieces, weights), given.initialOutput, given.initialCell};
  }
};

// Scratch memory of a part of so many pictures, in floats.
struct SampledScratch {
  ptrdiff_t maps;   // what one layer reads at one pixel
  ptrdiff_t cells;  // of one layer
  ptrdiff_t wide;   // outputs of any of the last layers
  ptrdiff_t sums, dense, total;

  SampledScratch(const SampledRows& given, int pictures) {
    const auto rows = [&](int columns) {
      return Pieces::rounded(static_cast<ptrdiff_t>(pictures) * columns);
    };
    int widest = given.size.units > given.units ? given.size.units : given.units;
    for (int d = 0; d < given.denseCount; d++) {
      if (given.dense[d].units > widest) widest = given.dense[d].units;
    }
    maps = rows(given.size.units);
    cells = rows(padded(given.units));
    wide = rows(widest);
    sums = rows(4 * lanes);
    dense = denseScratch(widest);
    total = maps * (given.layerCount * given.size.columns + 1) + cells * given.layerCount +
            2 * wide + sums + dense;
  }
};

// One part's pictures.
class SampledPart {
 public:
  // `pixels` is where the convolution sees them, and where drawn ones are written.
  SampledPart(const SampledRows& given, const SampledNetwork& network, Part part, float* pixels,
              const SampledScratch& scratch, float* memory)
      : given_(given),
        network_(network),
        part_(part),
        pixels_(pixels),
        mapsFloats_(scratch.maps),
        cellsFloats_(scratch.cells) {
    Pieces own(memory);
    maps_ = own.take(scratch.maps * (given.layerCount * given.size.columns + 1));
    cells_ = own.take(scratch.cells * given.layerCount);
    wide_[0] = own.take(scratch.wide);
    wide_[1] = own.take(scratch.wide);
    sums_ = own.take(scratch.sums);
    scratch_ = own.take(scratch.dense);
  }

  // `before` holds the states of the row above, or null in the first row; `after` gets this row's.
  void goThroughRow(int row, const float* before, float* after) const {
    const int columns = given_.size.columns;
    for (int l = 0; l < given_.layerCount; l++) start(network_.layers[l].left, cellsOf(l));
    for (int column = 0; column < columns; column++) {
      const int pixel = row * columns + column;
      maskedConvolutionForwardRows(network_.input, pixels_, pixel, part_.first, part_.rows,
                                   mapsOf(0, column), scratch_);
      for (int l = 0; l < given_.layerCount; l++) advance(l, column, before, after);
      if (given_.thresholds != nullptr) draw(pixel, column);
    }
    if (given_.states == nullptr) return;
    for (int l = 0; l < given_.layerCount; l++) scanFromRight(l, before, after);
  }

 private:
  static constexpr int left = 0, right = 1;

  const SampledRows& given_;
  const SampledNetwork& network_;
  const Part part_;
  float* const pixels_;
  const ptrdiff_t mapsFloats_, cellsFloats_;
  float *maps_, *cells_, *wide_[2], *sums_, *scratch_;

  // What a layer reads at a pixel of this row; the last layer's outputs are kept for one pixel.
  float* mapsOf(int layer, int column) const {
    const int columns = layer < given_.layerCount ? column : 0;
    return maps_ + mapsFloats_ * (layer * given_.size.columns + columns);
  }
  float* cellsOf(int layer) const { return cells_ + cellsFloats_ * layer; }

  // This part's rows of a layer's outputs at a column.
  template <typename Float>
  Float* at(Float* states, int layer, int direction, int column) const {
    const ptrdiff_t place =
        (static_cast<ptrdiff_t>(layer) * 2 + direction) * given_.size.columns + column;
    return states + (place * given_.size.batch + part_.first) * given_.units;
  }

  // The cells outside the picture.
  void start(const SampledDirection& direction, float* cells) const {
    const int width = padded(given_.units);
    for (int column = 0; column < width; column += lanes) {
      const Vector cell = loadFirst(direction.initialCell + column, given_.units - column);
      for (int r = 0; r < part_.rows; r++) store(cells + r * width + column, cell);
    }
  }

  // A cell at one pixel; where `above` or `side` is null, that neighbour is outside the picture.
  void step(const SampledDirection& direction, const float* maps, const float* above,
            const float* side, float* cells, float* outputs) const {
    const int units = given_.units, features = given_.size.units;
    Factors factors[] = {{maps, features, nullptr, features},
                         {direction.initialOutput, 0, nullptr, units},
                         {direction.initialOutput, 0, nullptr, units}};
    if (above != nullptr) {
      factors[1].rows = above;
      factors[1].stride = units;
    }
    if (side != nullptr) {
      factors[2].rows = side;
      factors[2].stride = units;
    }
    const DiagonalWeights& weights = direction.weights;
    const Packed* const rights[] = {&weights.kernel, &weights.upper, &weights.side};
    const auto panelOf = [&](int factor, int panel) { return rights[factor]->panel(panel); };
    lstmForwardStep({outputs, nullptr, nullptr}, weights.bias, weights.kernel.panels, factors, 3,
                    panelOf, cells, part_.rows, units, sums_);
  }

  void advance(int layer, int column, const float* before, float* after) const {
    const SampledLayer& weights = network_.layers[layer];
    float* const maps = mapsOf(layer, column);
    float* const outputs = at(after, layer, left, column);
    step(weights.left, maps, before == nullptr ? nullptr : at(before, layer, left, column),
         column == 0 ? nullptr : at(after, layer, left, column - 1), cellsOf(layer), outputs);
    const bool isSeen = layer + 1 < given_.layerCount || given_.thresholds != nullptr;
    if (!isSeen) return;
    const float* const fromRight =
        before == nullptr ? nullptr : at(before, layer, right, column);
    denseForwardRows(weights.upsample, {outputs, fromRight, maps, mapsOf(layer + 1, column)},
                     part_.rows, scratch_);
  }

  void draw(int pixel, int column) const {
    const float* maps = mapsOf(given_.layerCount, column);
    for (int d = 0; d < given_.denseCount; d++) {
      denseForwardRows(network_.dense[d], {maps, nullptr, nullptr, wide_[d % 2]}, part_.rows,
                       scratch_);
      maps = wide_[d % 2];
    }
    const ptrdiff_t batch = given_.size.batch;
    const float* const thresholds = given_.thresholds + column * batch + part_.first;
    float* const seen = pixels_ + pixel * batch + part_.first;
    float* const drawn = given_.drawn + column * batch + part_.first;
    for (int r = 0; r < part_.rows; r++) {
      seen[r] = drawn[r] = maps[r] > thresholds[r] ? 1.0f : 0.0f;
    }
  }

  void scanFromRight(int layer, const float* before, float* after) const {
    const int columns = given_.size.columns;
    const SampledDirection& direction = network_.layers[layer].right;
    // The left direction's cells of this row are not needed any more.
    float* const cells = cellsOf(layer);
    start(direction, cells);
    for (int column = columns - 1; column >= 0; column--) {
      step(direction, mapsOf(layer, column),
           before == nullptr ? nullptr : at(before, layer, right, column),
           column == columns - 1 ? nullptr : at(after, layer, right, column + 1), cells,
           at(after, layer, right, column));
    }
  }
};

// An even number of parts, as processors mostly are, of at most 16 pictures, whose states stay in the
// cache. A picture's bits depend on none of that.
inline Groups sampledParts(int batch) {
  return Groups(batch, ceilDivide(batch, 2 * ceilDivide(batch, 32)));
}

inline void sampleRows(const SampledRows& given, Runtime& runtime) {
  const PictureSize size = given.size;
  const Groups parts = sampledParts(size.batch);
  const SampledScratch scratch(given, parts.size(0));
  const ptrdiff_t statesFloats =
      Pieces::rounded(static_cast<ptrdiff_t>(given.layerCount) * 2 * size.columns * size.batch *
                      given.units);
  const ptrdiff_t rowFloats = static_cast<ptrdiff_t>(size.columns) * size.batch;
  const ptrdiff_t pixelsFloats = given.thresholds == nullptr ? 0 : size.rows * rowFloats;
  Pieces shared(runtime.allocate(SampledNetwork::floats(given) + 2 * statesFloats +
                                 Pieces::rounded(pixelsFloats) + parts.count * scratch.total));
  SampledNetwork network;
  network.pack(shared, given);
  float* const states[] = {shared.take(statesFloats), shared.take(statesFloats)};
  // Pixels that are read only stay where they are.
  float* pixels = const_cast<float*>(given.pixels);
  if (given.thresholds != nullptr) {
    pixels = shared.take(pixelsFloats);
    memcpy(pixels, given.pixels, sizeof(float) * (size.rows - 1) * rowFloats);
  }
  float* const memoryOfParts = shared.take(parts.count * scratch.total);

  forEachPart(runtime, parts, [&](int index, Part part) {
    const SampledPart sampled(given, network, part, pixels, scratch,
                              memoryOfParts + index * scratch.total);
    const float* before = given.above;
    for (int row = given.firstRow; row < size.rows; row++) {
      const bool isLast = row == size.rows - 1;
      float* const after = isLast && given.states != nullptr ? given.states : states[row % 2];
      sampled.goThroughRow(row, before, after);
      before = after;
    }
  });
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_PICTURE_SAMPLER_H_
