// Runs every kernel of every instruction set that this processor has, on exact-size memory so that a
// sanitizer sees a step past it, and fresh memory full of NaN so that a value never written shows.
// Prints one line of facts for each; exits with 1 where something is wrong.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memory>
#include <thread>
#include <vector>

#include "binary-head.h"
#include "kernels.h"
#include "thread-pool.h"
#include "token-order.h"

using namespace teletrain;

namespace {

int failures = 0;

void expect(bool holds, const char* what, const char* set, const char* kernel) {
  if (holds) return;
  failures++;
  printf("FAILED %s %s: %s\n", set, kernel, what);
}

class TestRuntime final : public Runtime {
 public:
  explicit TestRuntime(int order) : order_(order) {}

  float* allocate(size_t floats) override {
    void* memory = nullptr;
    if (posix_memalign(&memory, 64, floats * sizeof(float)) != 0) abort();
    float* values = static_cast<float*>(memory);
    for (size_t i = 0; i < floats; i++) values[i] = NAN;
    owned_.emplace_back(values, free);
    return values;
  }

  // 0: one after another; 1: backwards; 2: a thread each; 3: the pool.
  void parallel(int parts, void (*body)(void*, int), void* closure) override {
    if (order_ == 3) return runInParallel(parts, body, closure);
    std::vector<std::thread> threads;
    for (int i = 0; i < parts; i++) {
      const int part = order_ == 1 ? parts - 1 - i : i;
      if (order_ == 2) {
        threads.emplace_back(body, closure, part);
      } else {
        body(closure, part);
      }
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  int order_;
  std::vector<std::unique_ptr<float, void (*)(void*)>> owned_;
};

using Values = std::unique_ptr<float[]>;

struct Tensor {
  size_t size;
  Values values;

  // Repeatable numbers in [-scale, scale), or NaN everywhere for scale 0.
  Tensor(size_t size, float scale) : size(size), values(new float[size]) {
    static unsigned state = 1;
    for (size_t i = 0; i < size; i++) {
      state = state * 1664525u + 1013904223u;
      values[i] =
          scale == 0 ? NAN : scale * (static_cast<float>(state >> 8) / (1 << 23) - 1.0f);
    }
  }
  operator float*() { return values.get(); }
};

using Tensors = std::vector<Tensor>;
Tensor results(size_t size) { return Tensor(size, 0); }
Tensor given(size_t size) { return Tensor(size, 0.7f); }

// Runs all of a kernel's ways on all instruction sets; call(set, runtime, outputs) fills `outputs`.
template <typename Call>
void check(const char* kernel, const std::vector<size_t>& sizes, const Call& call) {
  Tensors plain, avx2;
  for (const InstructionSet* const* set = instructionSets(); *set != nullptr; set++) {
    Tensors first;
    for (int order = 0; order < 4; order++) {
      Tensors outputs;
      for (const size_t size : sizes) outputs.push_back(results(size));
      TestRuntime runtime(order);
      call(**set, runtime, outputs);
      if (order == 0) {
        first = std::move(outputs);
        continue;
      }
      for (size_t i = 0; i < sizes.size(); i++) {
        expect(memcmp(outputs[i], first[i], sizes[i] * sizeof(float)) == 0,
               "another order of the parts gives other bits", (*set)->name, kernel);
      }
    }
    double largest = 0;
    for (size_t i = 0; i < sizes.size(); i++) {
      for (size_t j = 0; j < sizes[i]; j++) {
        const double value = first[i][j];
        expect(isfinite(value), "a result is not finite", (*set)->name, kernel);
        if (plain.empty()) continue;
        const double expected = plain[i][j];
        const double difference = fabs(value - expected) / fmax(1, fabs(expected));
        if (difference > largest) largest = difference;
      }
    }
    expect(largest < 1e-4, "differs from the plain code", (*set)->name, kernel);
    // Going back, gates are summed in the order that they have in a vector's width.
    const bool isForward = strstr(kernel, "forward") != nullptr;
    for (size_t i = 0; isForward && i < avx2.size(); i++) {
      expect(memcmp(first[i], avx2[i], sizes[i] * sizeof(float)) == 0,
             "has other bits than avx2", (*set)->name, kernel);
    }
    if (strcmp((*set)->name, "avx2") == 0) {
      avx2 = std::move(first);
    } else if (plain.empty()) {
      plain = std::move(first);
    }
  }
}

struct Sizes {
  int timesteps, batch, features, units;
};

void checkSequences(Sizes s) {
  const SequenceSize size{s.timesteps, s.batch, s.features, s.units};
  const size_t steps = static_cast<size_t>(s.timesteps) * s.batch;
  const size_t units = s.units, features = s.features, state = s.batch * units;
  Tensor x = given(steps * features), h0 = given(state), c0 = given(state);
  Tensor dy = given(steps * units), dh = given(state), dc = given(state);
  {
    Tensor w = given(features * units), u = given(units * units), b = given(units);
    Tensor y = results(steps * units);
    check("SimpleRNN forward", {steps * units}, [&](auto& set, Runtime& runtime, Tensors& to) {
      set.simpleRnnForward({size, x, w, u, b, h0, to[0]}, runtime);
      memcpy(y, to[0], to[0].size * sizeof(float));
    });
    check("SimpleRNN backward", {x.size, w.size, u.size, b.size, state},
          [&](auto& set, Runtime& runtime, Tensors& to) {
            set.simpleRnnBackward(
                {size, x, w, u, h0, y, dy, dh, to[0], to[1], to[2], to[3], to[4]}, runtime);
          });
    check("SimpleRNN backward of the last state", {x.size, w.size, u.size, b.size, state},
          [&](auto& set, Runtime& runtime, Tensors& to) {
            set.simpleRnnBackward(
                {size, x, w, u, h0, y, nullptr, dh, to[0], to[1], to[2], to[3], to[4]}, runtime);
          });
  }
  Tensor w = given(features * 4 * units), u = given(units * 4 * units), b = given(4 * units);
  Tensor y = results(steps * units), gates = results(steps * 4 * units), cells = results(steps * units);
  check("LSTM forward without gradient", {steps * units, state},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          set.lstmForward({size, x, w, u, b, h0, c0, to[0], to[1], nullptr, nullptr}, runtime);
        });
  check("LSTM forward", {steps * units, state, gates.size, cells.size},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          set.lstmForward({size, x, w, u, b, h0, c0, to[0], to[1], to[2], to[3]}, runtime);
          memcpy(y, to[0], to[0].size * sizeof(float));
          memcpy(gates, to[2], to[2].size * sizeof(float));
          memcpy(cells, to[3], to[3].size * sizeof(float));
        });
  check("LSTM backward", {x.size, w.size, u.size, b.size, state, state},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          set.lstmBackward({size, x, w, u, h0, c0, y, gates, cells, dy, dh, dc, to[0], to[1],
                            to[2], to[3], to[4], to[5]},
                           runtime);
        });
  check("LSTM backward of the last state", {x.size, w.size, u.size, b.size, state, state},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          set.lstmBackward({size, x, w, u, h0, c0, y, gates, cells, nullptr, dh, nullptr, to[0],
                            to[1], to[2], to[3], to[4], to[5]},
                           runtime);
        });
}

void checkGru(Sizes s, bool resetAfter) {
  const SequenceSize size{s.timesteps, s.batch, s.features, s.units};
  const size_t steps = static_cast<size_t>(s.timesteps) * s.batch;
  const size_t units = s.units, features = s.features, state = s.batch * units;
  Tensor x = given(steps * features), h0 = given(state), dy = given(steps * units);
  Tensor w = given(features * 3 * units), u = given(units * 3 * units), dh = given(state);
  Tensor b = given((resetAfter ? 2 : 1) * 3 * units);
  Tensor y = results(steps * units), gates = results(steps * 4 * units);
  check("GRU forward without gradient", {y.size}, [&](auto& set, Runtime& runtime, Tensors& to) {
    set.gruForward({size, resetAfter, x, w, u, b, h0, to[0], nullptr}, runtime);
  });
  check("GRU forward", {y.size, gates.size}, [&](auto& set, Runtime& runtime, Tensors& to) {
    set.gruForward({size, resetAfter, x, w, u, b, h0, to[0], to[1]}, runtime);
    memcpy(y, to[0], to[0].size * sizeof(float));
    memcpy(gates, to[1], to[1].size * sizeof(float));
  });
  check("GRU backward", {x.size, w.size, u.size, b.size, state},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          set.gruBackward({size, resetAfter, x, w, u, h0, y, gates, dy, dh, to[0], to[1], to[2],
                           to[3], to[4]},
                          runtime);
        });
  check("GRU backward of the outputs", {x.size, w.size, u.size, b.size, state},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          set.gruBackward({size, resetAfter, x, w, u, h0, y, gates, dy, nullptr, to[0], to[1],
                           to[2], to[3], to[4]},
                          runtime);
        });
}

struct DiagonalTensors {
  Tensor w, u, b, h0, c0, y, gates, cells;

  DiagonalTensors(const PictureSize& s, size_t pixels)
      : w(given(static_cast<size_t>(s.features) * 4 * s.units)),
        u(given(static_cast<size_t>(8) * s.units * s.units)),
        b(given(static_cast<size_t>(4) * s.units)),
        h0(given(s.units)),
        c0(given(s.units)),
        y(results(pixels * s.units)),
        gates(results(pixels * 4 * s.units)),
        cells(results(pixels * s.units)) {}
};

// One direction or both, of which the right one is then seen from the line below.
void checkPictures(PictureSize size, std::vector<bool> fromRight) {
  const size_t pixels = static_cast<size_t>(size.rows) * size.columns * size.batch;
  const size_t units = size.units;
  const int count = static_cast<int>(fromRight.size());
  Tensor x = given(pixels * size.features), dy = given(pixels * units);
  Tensor added = given(x.size);
  std::vector<DiagonalTensors> tensors;
  for (int d = 0; d < count; d++) tensors.emplace_back(size, pixels);
  const auto forward = [&](auto& set, Runtime& runtime, Tensors& to, bool keep) {
    DiagonalLstmForward directions[2];
    const int each = keep ? 3 : 1;
    for (int d = 0; d < count; d++) {
      DiagonalTensors& t = tensors[d];
      directions[d] = {size, fromRight[d], x, t.w, t.u, t.b, t.h0, t.c0, to[each * d],
                       keep ? static_cast<float*>(to[each * d + 1]) : nullptr,
                       keep ? static_cast<float*>(to[each * d + 2]) : nullptr};
    }
    set.diagonalLstmForward(directions, count, runtime);
    for (int d = 0; keep && d < count; d++) {
      DiagonalTensors& t = tensors[d];
      memcpy(t.y, to[3 * d], t.y.size * sizeof(float));
      memcpy(t.gates, to[3 * d + 1], t.gates.size * sizeof(float));
      memcpy(t.cells, to[3 * d + 2], t.cells.size * sizeof(float));
    }
  };
  std::vector<size_t> outputs, kept, gradients{x.size};
  for (DiagonalTensors& t : tensors) {
    outputs.insert(outputs.end(), {t.y.size});
    kept.insert(kept.end(), {t.y.size, t.gates.size, t.cells.size});
    gradients.insert(gradients.end(), {t.w.size, t.u.size, t.b.size, units, units});
  }
  check("DiagonalLSTM forward without gradient", outputs,
        [&](auto& set, Runtime& runtime, Tensors& to) { forward(set, runtime, to, false); });
  check("DiagonalLSTM forward", kept,
        [&](auto& set, Runtime& runtime, Tensors& to) { forward(set, runtime, to, true); });
  check("DiagonalLSTM backward", gradients, [&](auto& set, Runtime& runtime, Tensors& to) {
    DiagonalLstmBackward directions[2];
    for (int d = 0; d < count; d++) {
      DiagonalTensors& t = tensors[d];
      directions[d] = {size, fromRight[d], x, t.w, t.u, t.h0, t.c0, t.y, t.gates, t.cells, dy,
                       d == 0 ? 0 : size.columns, to[5 * d + 1], to[5 * d + 2], to[5 * d + 3],
                       to[5 * d + 4], to[5 * d + 5]};
    }
    const float* const more = count > 1 ? static_cast<float*>(added) : nullptr;
    set.diagonalLstmBackward(directions, count, {more, to[0]}, runtime);
  });
}

void checkDense(DenseSize size, bool second, bool residual) {
  const size_t rows = size.rows, features = size.features, units = size.units;
  Tensor x = given(rows * features), w = given(features * units), b = given(units);
  Tensor above = given(rows * features), before = given(rows * units);
  const float* const added = second ? above : static_cast<float*>(nullptr);
  const float* const kept = residual ? before : static_cast<float*>(nullptr);
  check("Dense forward", {rows * units}, [&](auto& set, Runtime& runtime, Tensors& to) {
    set.denseForward({size, x, added, w, b, kept, to[0]}, runtime);
    if (second) return;
    for (size_t row = 0; row < rows; row++) {
      Tensor alone = results(units);
      DenseSize one = size;
      one.rows = 1;
      set.denseForward({one, x + row * features, nullptr, w, b,
                        residual ? kept + row * units : nullptr, alone},
                       runtime);
      expect(memcmp(alone, to[0] + row * units, units * sizeof(float)) == 0,
             "a row alone has other bits", set.name, "Dense forward");
    }
  });
  Tensor dy = given(rows * units);
  check("Dense backward", {x.size, w.size, b.size}, [&](auto& set, Runtime& runtime, Tensors& to) {
    set.denseBackward({size, x, added, w, dy, to[0], to[1], to[2]}, runtime);
  });
}

// Layers of these widths, of which those from reluFrom on take max(x, 0) of their inputs.
void checkDenseLoss(int rows, std::vector<int> widths, int reluFrom) {
  const int count = static_cast<int>(widths.size()) - 1;
  Tensor x = given(static_cast<size_t>(rows) * widths[0]), targets = given(rows);
  Tensors weights;
  std::vector<size_t> gradients{1, x.size};
  std::vector<DenseLossWeights> layers(count);
  for (int l = 0; l < count; l++) {
    const int features = widths[l], units = widths[l + 1];
    for (const int height : {features, 1}) {
      weights.push_back(given(static_cast<size_t>(height) * units));
      gradients.push_back(weights.back().size);
    }
    layers[l] = {features, units, l >= reluFrom, nullptr, nullptr, nullptr, nullptr};
  }
  for (int l = 0; l < count; l++) {
    layers[l].kernel = weights[2 * l];
    layers[l].bias = weights[2 * l + 1];
  }
  check("DenseLoss forward", {1}, [&](auto& set, Runtime& runtime, Tensors& to) {
    set.denseLoss({rows, 0.1f, x, targets, layers.data(), count, to[0], nullptr}, runtime);
  });
  check("DenseLoss with gradients", gradients, [&](auto& set, Runtime& runtime, Tensors& to) {
    for (int l = 0; l < count; l++) {
      layers[l].kernelGradient = to[2 * l + 2];
      layers[l].biasGradient = to[2 * l + 3];
    }
    set.denseLoss({rows, 0.1f, x, targets, layers.data(), count, to[0], to[1]}, runtime);
  });
}

void checkMaskedConvolution(PictureSize size, int kernelSize, bool seesItself) {
  const size_t pixels = static_cast<size_t>(size.rows) * size.columns;
  const size_t units = size.units, features = size.features, batch = size.batch;
  const int taps = kernelSize * kernelSize / 2 + (seesItself ? 1 : 0);
  Tensor x = given(pixels * batch * features), b = given(units);
  Tensor w = given(static_cast<size_t>(kernelSize) * kernelSize * features * units);
  check("MaskedConvolution forward", {pixels * batch * units},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          set.maskedConvolutionForward({size, kernelSize, taps, x, w, b, to[0]}, runtime);
          const size_t last = batch - 1;
          Tensor picture = given(pixels * features), alone = results(pixels * units);
          for (size_t i = 0; i < pixels; i++) {
            memcpy(picture + i * features, x + (i * batch + last) * features,
                   features * sizeof(float));
          }
          PictureSize one = size;
          one.batch = 1;
          set.maskedConvolutionForward({one, kernelSize, taps, picture, w, b, alone}, runtime);
          for (size_t i = 0; i < pixels; i++) {
            expect(memcmp(alone + i * units, to[0] + (i * batch + last) * units,
                          units * sizeof(float)) == 0,
                   "a picture alone has other bits", set.name, "MaskedConvolution forward");
          }
        });
  Tensor dy = given(pixels * batch * units);
  check("MaskedConvolution backward", {x.size, w.size, b.size},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          set.maskedConvolutionBackward({size, kernelSize, taps, x, w, dy, to[0], to[1], to[2]},
                                        runtime);
        });
  check("MaskedConvolution backward to the weights", {w.size, b.size},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          set.maskedConvolutionBackward({size, kernelSize, taps, x, w, dy, nullptr, to[0], to[1]},
                                        runtime);
        });
}

// A network of `layers` diagonal layers and two dense ones, with what its layers are given.
struct SampledWeights {
  Tensors all;
  std::vector<SampledLayerWeights> layers;
  std::vector<SampledDenseWeights> dense;
  SampledRows network{};

  SampledWeights(PictureSize size, int units, int layerCount) {
    const int maps = size.units, hidden = 5, reach = 3;
    const size_t gates = 4 * static_cast<size_t>(units);
    network.size = size;
    network.kernelSize = 2 * reach + 1;
    network.taps = network.kernelSize * network.kernelSize / 2;
    network.inputKernel = add(static_cast<size_t>(network.kernelSize) * network.kernelSize * maps);
    network.inputBias = add(maps);
    const auto direction = [&] {
      const float* const kernel = add(maps * gates);
      const float* const recurrent = add(2 * units * gates);
      const float* const bias = add(gates);
      const float* const output = add(units);
      return SampledDirectionWeights{kernel, recurrent, bias, output, add(units)};
    };
    for (int l = 0; l < layerCount; l++) {
      const SampledDirectionWeights left = direction(), right = direction();
      const float* const kernel = add(static_cast<size_t>(units) * maps);
      layers.push_back({left, right, kernel, add(maps)});
    }
    const float* const first = add(static_cast<size_t>(maps) * hidden);
    dense.push_back({first, add(hidden), maps, hidden, layerCount > 0});
    const float* const last = add(hidden);
    dense.push_back({last, add(1), hidden, 1, true});
    network.layerCount = layerCount;
    network.units = units;
    network.layers = layers.data();
    network.denseCount = 2;
    network.dense = dense.data();
  }

  const float* add(size_t size) {
    all.push_back(given(size));
    return all.back();
  }

  // Logits [rows · columns, batch] of whole pictures, layer by layer.
  Tensor logits(const InstructionSet& set, Runtime& runtime, const float* pictures) const {
    const PictureSize size = network.size;
    const int rows = size.rows * size.columns * size.batch, maps = size.units;
    Tensor x = results(static_cast<size_t>(rows) * maps);
    set.maskedConvolutionForward({size, network.kernelSize, network.taps, pictures,
                                  network.inputKernel, network.inputBias, x},
                                 runtime);
    PictureSize layerSize = size;
    layerSize.features = maps;
    layerSize.units = network.units;
    for (const SampledLayerWeights& layer : layers) {
      Tensors both;
      for (const bool fromRight : {false, true}) {
        const SampledDirectionWeights& w = fromRight ? layer.right : layer.left;
        both.push_back(results(static_cast<size_t>(rows) * network.units));
        const DiagonalLstmForward direction{
            layerSize, fromRight, x, w.kernel, w.recurrentKernel, w.bias, w.initialOutput,
            w.initialCell, both.back(), nullptr, nullptr};
        set.diagonalLstmForward(&direction, 1, runtime);
      }
      Tensor next = results(static_cast<size_t>(rows) * maps);
      const int line = size.columns * size.batch;
      set.denseForward({{rows, network.units, maps, false, line}, both[0], both[1],
                        layer.upsampleKernel, layer.upsampleBias, x, next},
                       runtime);
      x = std::move(next);
    }
    for (const SampledDenseWeights& w : dense) {
      Tensor next = results(static_cast<size_t>(rows) * w.units);
      set.denseForward({{rows, w.features, w.units, w.relu, 0}, x, nullptr, w.kernel, w.bias,
                        nullptr, next},
                       runtime);
      x = std::move(next);
    }
    return x;
  }
};

// Draws pictures again, from thresholds that only the very bits of a whole evaluation's logits are on
// the right side of.
void checkSampler(PictureSize size, int units, int layers, int firstRow) {
  const SampledWeights weights(size, units, layers);
  const size_t rowFloats = static_cast<size_t>(size.columns) * size.batch;
  Tensor pictures = given(size.rows * rowFloats);
  for (size_t i = 0; i < pictures.size; i++) pictures[i] = pictures[i] > 0 ? 1.0f : 0.0f;
  // Nothing follows a picture's last row.
  const size_t stateFloats = size.rows == 1 ? 0 : layers * 2 * rowFloats * units;
  check("PictureSampler forward", {(size.rows - firstRow) * rowFloats, stateFloats},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          const Tensor logits = weights.logits(set, runtime, pictures);
          SampledRows rows = weights.network;
          Tensor above = results(stateFloats);
          if (firstRow > 0 && layers > 0) {
            rows.size.rows = firstRow;
            rows.pixels = pictures;
            rows.states = above;
            set.sampleRows(rows, runtime);
          }
          for (int row = firstRow; row < size.rows; row++) {
            const int seen = row < 3 ? row : 3;
            Tensor thresholds = results(rowFloats), window = results((seen + 1) * rowFloats);
            memcpy(window, pictures + (row - seen) * rowFloats, seen * rowFloats * sizeof(float));
            const float* const wanted = pictures + row * rowFloats;
            for (size_t i = 0; i < rowFloats; i++) {
              const float logit = logits.values[row * rowFloats + i];
              thresholds[i] = wanted[i] == 1 ? nextafterf(logit, -INFINITY) : logit;
            }
            const bool isLast = row == size.rows - 1;
            Tensor next = results(stateFloats);
            rows.size.rows = seen + 1;
            rows.firstRow = seen;
            rows.pixels = window;
            rows.thresholds = thresholds;
            rows.above = row == 0 || layers == 0 ? nullptr : static_cast<float*>(above);
            rows.drawn = to[0] + (row - firstRow) * rowFloats;
            rows.states = isLast || layers == 0 ? nullptr : static_cast<float*>(next);
            set.sampleRows(rows, runtime);
            expect(memcmp(rows.drawn, wanted, rowFloats * sizeof(float)) == 0,
                   "a logit has other bits than in a whole evaluation", set.name, "PictureSampler");
            if (!isLast) above = std::move(next);
          }
          if (stateFloats > 0) memcpy(to[1], above, stateFloats * sizeof(float));
        });
}

struct TokenSizes {
  int timesteps, batch, units, vocabulary;
};

void checkEmbedding(TokenSizes s) {
  const int places = s.timesteps * s.batch;
  const size_t outputs = static_cast<size_t>(places) * s.units;
  Tensor table = given(static_cast<size_t>(s.vocabulary) * s.units), dy = given(outputs);
  // Half of the places hold the token 0, as in padded sequences.
  std::unique_ptr<int[]> tokens(new int[places]);
  for (int i = 0; i < places; i++) tokens[i] = i % 2 == 0 ? 0 : i * 7 % s.vocabulary;
  check("Embedding forward", {outputs}, [&](auto& set, Runtime& runtime, Tensors& to) {
    set.embeddingForward({s.timesteps, s.batch, s.units, table, tokens.get(), to[0]}, runtime);
  });
  const TokenOrder sorted(tokens.get(), s.batch, s.timesteps, s.vocabulary);
  const int rows = sorted.rows();
  int seen = 0;
  for (int row = 0; row < rows; row++) {
    expect(sorted.starts()[row] == seen, "a row begins elsewhere", "any", "TokenOrder");
    for (int place = 0; place < places; place++) {
      const int token = tokens[place % s.batch * s.timesteps + place / s.batch];
      if (token != sorted.distinct()[row]) continue;
      expect(sorted.order()[seen++] == place, "a place is out of order", "any", "TokenOrder");
    }
  }
  expect(seen == places && sorted.starts()[rows] == places, "places are left out", "any",
         "TokenOrder");
  check("Embedding backward", {static_cast<size_t>(rows) * s.units},
        [&](auto& set, Runtime& runtime, Tensors& to) {
          set.embeddingBackward({places, rows, s.units, dy, sorted.order(), sorted.starts(), to[0]},
                                runtime);
        });
}

void checkBinaryHead(int batch, int units, bool isIntegers) {
  const size_t floats = static_cast<size_t>(batch) * units;
  Tensor x = given(floats), w = given(units), dy = given(batch), targets = results(batch);
  std::unique_ptr<int32_t[]> integers(new int32_t[batch]);
  for (int i = 0; i < batch; i++) targets[i] = static_cast<float>(integers[i] = i % 2);
  const size_t kept = batch, weights = units;
  check("BinaryHead forward", {1, 1, kept}, [&](auto&, Runtime&, Tensors& to) {
    binaryHeadForward({batch, units, x, w, 0.3f,
                       isIntegers ? nullptr : static_cast<float*>(targets),
                       isIntegers ? integers.get() : nullptr, to[0], to[1], to[2]});
  });
  check("BinaryHead backward", {floats, weights, 1}, [&](auto&, Runtime&, Tensors& to) {
    binaryHeadBackward({batch, units, x, w, dy, 0.7f, to[0], to[1], to[2]});
  });
}

// A table of `rows` of which every third has a gradient, and a dense variable of `size`.
void checkOptimizers(int rows, int units, int size, bool isAveraged) {
  const size_t floats = static_cast<size_t>(rows) * units;
  const size_t count = size;
  std::vector<int> touched;
  for (int row = rows - 1; row >= 0; row -= 3) touched.insert(touched.begin(), row);
  Tensor tableGradient = given(touched.size() * units), denseGradient = given(count);
  Tensors start;
  for (const size_t each : {floats, count}) {
    for (int i = 0; i < 4; i++) start.push_back(given(each));
  }
  // Means of squares are not negative.
  for (const int velocity : {2, 6}) {
    for (size_t i = 0; i < start[velocity].size; i++) {
      start[velocity][i] = fabsf(start[velocity][i]);
    }
  }
  std::vector<size_t> sizes;
  for (const Tensor& tensor : start) sizes.push_back(tensor.size);
  sizes.push_back(rows);
  const auto run = [&](const char* name, int kernel) {
    check(name, sizes, [&](auto& set, Runtime& runtime, Tensors& to) {
      for (size_t i = 0; i < start.size(); i++) {
        memcpy(to[i], start[i], start[i].size * sizeof(float));
      }
      std::vector<int> settled(rows);
      for (int row = 0; row < rows; row++) settled[row] = row % 5;
      float* tableAverage = isAveraged ? static_cast<float*>(to[3]) : nullptr;
      float* denseAverage = isAveraged ? static_cast<float*>(to[7]) : nullptr;
      const OptimizedVariable variables[] = {
          {static_cast<ptrdiff_t>(floats), to[0], to[1], to[2], tableAverage, tableGradient,
           touched.data(), static_cast<int>(touched.size()), units, settled.data()},
          {size, to[4], to[5], to[6], denseAverage, denseGradient, nullptr, 0, 0, nullptr}};
      const int given = static_cast<int>(touched.size());
      const UpdatePiece gradients[] = {{0, 0, given / 2}, {0, given / 2, given - given / 2},
                                       {1, 0, size / 3},  {1, size / 3, size - size / 3}};
      const UpdatePiece whole[] = {{0, 0, rows / 2}, {0, rows / 2, rows - rows / 2},
                                   {1, 0, size / 3}, {1, size / 3, size - size / 3}};
      OptimizerStep step{};
      step.variables = variables;
      step.gradients = {gradients, 4};
      step.updates = kernel == 0 ? UpdatePieces{gradients, 4}
                                 : UpdatePieces{whole, kernel == 1 ? 4 : 2};
      step.parallel = true;
      step.step = 9;
      step.learningRate = 0.01f;
      step.momentumRest = 0.1f;
      step.velocityDecay = 0.9f;
      step.velocityRest = 0.1f;
      step.epsilon = 1e-7f;
      step.clipNorm = 0.5f;
      step.averageMomentum = 0.99f;
      (kernel == 0 ? set.rmspropStep : kernel == 1 ? set.adamStep : set.settleRows)(step, runtime);
      for (int row = 0; row < rows; row++) to[8][row] = static_cast<float>(settled[row]);
    });
  };
  run("RMSprop", 0);
  run("Adam", 1);
  run("RMSprop settled", 2);
}

double unitsInLastPlace(float value, double exact) {
  const float rounded = static_cast<float>(fabs(exact));
  return fabs(value - exact) / (nextafterf(rounded, INFINITY) - static_cast<double>(rounded));
}

// Every `stride`-th float32 in [-120, 120].
void checkActivations(const InstructionSet& set, unsigned stride) {
  double worstTanh = 0, worstSigmoid = 0;
  std::vector<float> from, to;
  const auto flush = [&] {
    to.resize(from.size());
    set.tanh(from.data(), to.data(), from.size());
    for (size_t i = 0; i < from.size(); i++) {
      worstTanh = fmax(worstTanh, unitsInLastPlace(to[i], tanh(static_cast<double>(from[i]))));
      expect(fabsf(to[i]) <= 1, "tanh leaves [-1, 1]", set.name, "tanh");
    }
    set.sigmoid(from.data(), to.data(), from.size());
    for (size_t i = 0; i < from.size(); i++) {
      if (from[i] < -87) {
        expect(to[i] > 0 && to[i] < 2e-38f, "sigmoid is not tiny", set.name, "sigmoid");
        continue;
      }
      const double exact = 1 / (1 + exp(-static_cast<double>(from[i])));
      worstSigmoid = fmax(worstSigmoid, unitsInLastPlace(to[i], exact));
    }
    from.clear();
  };
  for (unsigned bits = 0x00800000; bits < 0x42f00000; bits += stride) {
    float value;
    memcpy(&value, &bits, sizeof value);
    from.push_back(value);
    from.push_back(-value);
    if (from.size() >= 4096) flush();
  }
  flush();
  const float special[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f};
  float out[5];
  set.tanh(special, out, 5);
  expect(isnan(out[0]) && out[1] == 1 && out[2] == -1 && out[3] == 0 && signbit(out[4]),
         "special values are wrong", set.name, "tanh");
  set.sigmoid(special, out, 5);
  expect(isnan(out[0]) && out[1] == 1 && out[2] < 2e-38f && out[3] == 0.5f && out[4] == 0.5f,
         "special values are wrong", set.name, "sigmoid");
  expect(worstTanh < 2.7, "is too far from tanh", set.name, "tanh");
  expect(worstSigmoid < 2.7, "is too far from sigmoid", set.name, "sigmoid");
  printf("%s: tanh within %.2f and sigmoid within %.2f units in the last place\n", set.name,
         worstTanh, worstSigmoid);
}

}  // namespace

// argv[1]: the stride of the float32 numbers that the activations are measured at. Default: 997.
int main(int count, char** arguments) {
  const unsigned stride = count > 1 ? static_cast<unsigned>(atoi(arguments[1])) : 997;
  for (const InstructionSet* const* set = instructionSets(); *set != nullptr; set++) {
    checkActivations(**set, stride);
  }
  for (const Sizes s : std::vector<Sizes>{{1, 1, 1, 1},
                                          {3, 2, 5, 7},
                                          {70, 3, 2, 3},
                                          {9, 37, 17, 16},
                                          {5, 33, 33, 33},
                                          {4, 65, 3, 40},
                                          {2, 19, 20, 70}}) {
    checkSequences(s);
    checkGru(s, true);
    checkGru(s, false);
  }
  for (const PictureSize s : std::vector<PictureSize>{{1, 1, 1, 1, 1},
                                                      {1, 5, 3, 2, 3},
                                                      {4, 1, 2, 3, 8},
                                                      {5, 3, 37, 6, 17},
                                                      {3, 6, 17, 33, 16}}) {
    checkPictures(s, {false});
    checkPictures(s, {true});
    checkPictures(s, {false, true});
  }
  for (const DenseSize s : std::vector<DenseSize>{{1, 1, 1, false, 0},
                                                  {7, 3, 3, true, 2},
                                                  {60, 32, 1, true, 0},
                                                  {49, 33, 17, false, 49},
                                                  {700, 5, 80, true, 300},
                                                  {9200, 2, 3, true, 28}}) {
    for (const bool residual : {false, true}) {
      checkDense(s, false, residual);
      checkDense(s, true, residual);
    }
  }
  checkDenseLoss(1, {1, 1}, 0);
  checkDenseLoss(700, {33, 17, 1}, 1);
  checkDenseLoss(300, {16, 3, 3, 32, 1}, 2);
  checkDenseLoss(9000, {5, 70, 4, 1}, 0);
  for (const PictureSize s : std::vector<PictureSize>{{1, 1, 1, 1, 1},
                                                      {1, 5, 3, 2, 3},
                                                      {9, 7, 26, 1, 70},
                                                      {4, 11, 2, 3, 16}}) {
    for (const int kernelSize : {1, 3, 7, 13}) {
      checkMaskedConvolution(s, kernelSize, true);
      checkMaskedConvolution(s, kernelSize, false);
    }
  }
  for (const int layers : {0, 1, 3}) {
    checkSampler({1, 1, 1, 1, 2}, 1, layers, 0);
    checkSampler({6, 5, 37, 1, 6}, 3, layers, 0);
    checkSampler({5, 6, 3, 1, 33}, 17, layers, 4);
    checkSampler({9, 4, 18, 1, 32}, 16, layers, 2);
  }
  for (const TokenSizes s : std::vector<TokenSizes>{{1, 1, 1, 1},
                                                    {17, 3, 5, 4},
                                                    {33, 40, 32, 90},
                                                    {9, 600, 50, 7},
                                                    {5, 4, 131, 30}}) {
    checkEmbedding(s);
  }
  for (const bool isIntegers : {false, true}) {
    checkBinaryHead(1, 1, isIntegers);
    checkBinaryHead(33, 17, isIntegers);
  }
  for (const bool isAveraged : {false, true}) {
    checkOptimizers(1, 1, 1, isAveraged);
    checkOptimizers(20, 32, 4097, isAveraged);
    checkOptimizers(31, 21, 40, isAveraged);
  }
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
