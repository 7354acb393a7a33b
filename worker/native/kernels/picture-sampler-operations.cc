#include "operation.h"

namespace teletrain {
namespace {

// Takes the list of a network's weights one after the other, in the order in which a model has them:
// the convolution's kernel and bias; for each diagonal layer the left direction's kernel, recurrent
// kernel, bias, initial output and initial cell, the right one's, and the upsampling's kernel and
// bias; the dense layers' kernels and biases.
class Network {
 public:
  // `next` is the list's first input, `reluFrom` the first dense layer with a ReLU before it.
  Network(const Call& call, int next, int layerCount, int reluFrom)
      : call_(call), next_(next), end_(call.inputCount()) {
    const Shape kernel = shape(4);
    kernelSize = static_cast<int>(kernel[0]);
    if (kernelSize % 2 == 0 || kernelSize < 3 || kernel[1] != kernel[0] || kernel[2] != 1) {
      call.refuse(next_, "is no kernel of one channel with odd sides of at least 3");
    }
    maps = kernel[3];
    inputKernel = take(kernel);
    inputBias = take({maps});
    if (layerCount < 0 || layerCount > mostSampledLayers) {
      call.refuse(next_, "belongs to more layers than " + std::to_string(mostSampledLayers));
    }
    for (int l = 0; l < layerCount; l++) takeLayer(layers[l]);
    int64_t features = maps;
    while (next_ < end_) {
      if (denseCount == mostSampledDense) {
        call.refuse(next_, "belongs to more dense layers than " + std::to_string(mostSampledDense));
      }
      const int64_t width = shape(2)[1];
      SampledDenseWeights& layer = dense[denseCount];
      layer.kernel = take({features, width});
      layer.bias = take({width});
      layer.features = static_cast<int>(features);
      layer.units = static_cast<int>(width);
      layer.relu = denseCount >= reluFrom;
      denseCount++;
      features = width;
    }
    if (denseCount == 0 || features != 1) call.refuse(end_ - 1, "is not the last one, of one logit");
  }

  int kernelSize;
  int64_t maps, units = 0;
  const float *inputKernel, *inputBias;
  SampledLayerWeights layers[mostSampledLayers];
  SampledDenseWeights dense[mostSampledDense];
  int denseCount = 0;

  void giveTo(SampledRows& rows, int layerCount) const {
    rows.size.features = 1;
    rows.size.units = static_cast<int>(maps);
    rows.kernelSize = kernelSize;
    rows.taps = (kernelSize * kernelSize - 1) / 2;
    rows.inputKernel = inputKernel;
    rows.inputBias = inputBias;
    rows.layerCount = layerCount;
    rows.units = static_cast<int>(units);
    rows.layers = layers;
    rows.denseCount = denseCount;
    rows.dense = dense;
  }

 private:
  const Call& call_;
  int next_, end_;

  Shape shape(int rank) const {
    requireMore();
    return call_.shape(next_, rank);
  }

  const float* take(const Shape& shape) {
    requireMore();
    return call_.input(next_++, shape);
  }

  void requireMore() const {
    if (next_ == end_) call_.refuse(end_ - 1, "is the last one, and more are needed");
  }

  void takeLayer(SampledLayerWeights& layer) {
    if (units == 0) {
      const int64_t width = shape(2)[1];
      if (width % 4 != 0) call_.refuse(next_, "has columns that four gates cannot share");
      units = width / 4;
    }
    for (SampledDirectionWeights* const direction : {&layer.left, &layer.right}) {
      direction->kernel = take({maps, 4 * units});
      direction->recurrentKernel = take({2 * units, 4 * units});
      direction->bias = take({4 * units});
      direction->initialOutput = take({units});
      direction->initialCell = take({units});
    }
    layer.upsampleKernel = take({units, maps});
    layer.upsampleBias = take({maps});
  }
};

struct Pictures {
  Shape pixels;
  int64_t columns, layerCount;

  Pictures(const Call& call, const Attributes& attributes)
      : pixels(call.shape(0, 2)), columns(attributes[0]), layerCount(attributes[1]) {
    if (columns < 1 || pixels[0] % columns != 0) {
      call.refuse(0, "has " + std::to_string(pixels[0]) + " pixels, no whole rows of " +
                         std::to_string(columns));
    }
  }
  int rows() const { return static_cast<int>(pixels[0] / columns); }
  Shape states(int64_t units) const { return {layerCount * 2 * columns, pixels[1], units}; }
  Shape row() const { return {columns, pixels[1]}; }
};

SampledRows rowsOf(const Call& call, const Pictures& pictures, const Network& network) {
  SampledRows rows{};
  rows.size.rows = pictures.rows();
  rows.size.columns = static_cast<int>(pictures.columns);
  rows.size.batch = static_cast<int>(pictures.pixels[1]);
  network.giveTo(rows, static_cast<int>(pictures.layerCount));
  rows.pixels = call.input(0, pictures.pixels);
  return rows;
}

int widest(const Network& network) {
  return static_cast<int>(network.units > 0 ? network.units : network.maps);
}

void read(Call& call, const Attributes& attributes) {
  const Pictures pictures(call, attributes);
  if (pictures.layerCount == 0) call.refuse(0, "is read for a network that keeps nothing of it");
  const Network network(call, 1, static_cast<int>(pictures.layerCount), 0);
  SampledRows rows = rowsOf(call, pictures, network);
  rows.states = call.output(0, pictures.states(network.units));
  instructionSetFor(widest(network)).sampleRows(rows, call);
}

void draw(Call& call, const Attributes& attributes) {
  const Pictures pictures(call, attributes);
  const Network network(call, 3, static_cast<int>(pictures.layerCount),
                        static_cast<int>(attributes[2]));
  SampledRows rows = rowsOf(call, pictures, network);
  rows.firstRow = pictures.rows() - 1;
  rows.thresholds = call.input(1, pictures.row());
  const Shape states = pictures.states(network.units);
  const bool isStacked = pictures.layerCount > 0;
  rows.above = isStacked ? call.optionalInput(2, states) : nullptr;
  if (isStacked && (rows.above == nullptr) != (rows.firstRow == 0)) {
    call.refuse(2, rows.firstRow == 0 ? "is given for a picture's first row" : "is missing");
  }
  rows.drawn = call.output(0, pictures.row());
  const bool keep = isStacked && attributes[3] != 0;
  float* const kept = call.output(1, keep ? states : Shape{0});
  rows.states = keep ? kept : nullptr;
  instructionSetFor(widest(network)).sampleRows(rows, call);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation({"TeletrainReadRows",
                     {"pixels", "weights: N * float"},
                     {"states"},
                     {"columns: int", "layers: int", "N: int >= 1"}},
                    read);
  registerOperation({"TeletrainDrawRow",
                     {"pixels", "thresholds", "above", "weights: N * float"},
                     {"drawn", "states"},
                     {"columns: int", "layers: int", "relu_from: int", "keep: bool",
                      "N: int >= 1"}},
                    draw);
  return true;
}();

}  // namespace
}  // namespace teletrain
