// How a batch is divided among threads: into parts of whole sequences, by the layer's size alone, so
// that results do not depend on the number of threads or on who computed what.

#ifndef TELETRAIN_KERNELS_PARTS_H_
#define TELETRAIN_KERNELS_PARTS_H_

#include "kernels.h"
#include "product.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

struct Part {
  int first, rows;
};

// More rows a part where the weights are large, as each step reads them all; at least two parts.
inline Groups partsOf(int batch, long long weights) {
  const int wanted = weights <= (1 << 14) ? 16 : weights <= (1 << 18) ? 32 : 64;
  const int half = ceilDivide(batch, 2);
  return Groups(batch, half < wanted ? (half < 1 ? 1 : half) : wanted);
}

// Steps whose gradients are kept before the weights' gradients are taken from them: enough rows for
// an efficient product, few enough to stay in a first cache of 48 KiB.
inline int stepsTogether(int timesteps, int rows, int gates) {
  const int fitting = (1 << 13) / (rows * gates);
  const int efficient = ceilDivide(32, rows);
  const int wanted = fitting > efficient ? fitting : efficient;
  return wanted < timesteps ? wanted : timesteps;
}

// Brings memory near that is read or written soon: a step's rows lie too far from the last step's for
// the processor to foresee them.
inline void prefetch(const float* from, ptrdiff_t floats) {
  for (ptrdiff_t i = 0; i < floats; i += 16) __builtin_prefetch(from + i, 0, 3);
}

// Calls body(part index, Part) for all parts.
template <typename Body>
void forEachPart(Runtime& runtime, Groups parts, const Body& body) {
  struct Closure {
    const Body& body;
    Groups parts;
  } closure{body, parts};
  runtime.parallel(
      parts.count,
      [](void* given, int part) {
        const Closure& here = *static_cast<Closure*>(given);
        here.body(part, Part{here.parts.first(part), here.parts.size(part)});
      },
      &closure);
}

// Hands out pieces of one allocation, each aligned to 64 bytes.
class Pieces {
 public:
  explicit Pieces(float* from) : next_(from) {}
  float* take(ptrdiff_t floats) {
    float* piece = next_;
    next_ += rounded(floats);
    return piece;
  }
  static ptrdiff_t rounded(ptrdiff_t floats) { return (floats + 15) / 16 * 16; }

 private:
  float* next_;
};

inline void clear(float* values, ptrdiff_t count) {
  memset(values, 0, sizeof(float) * static_cast<size_t>(count));
}

// Copies rows of `units`, from row `first` on, to rows of padded units; zeros where `from` is null.
inline void padRows(const float* from, int first, float* to, int rows, int units) {
  if (from == nullptr) return clear(to, static_cast<ptrdiff_t>(rows) * padded(units));
  from += static_cast<ptrdiff_t>(first) * units;
  for (int r = 0; r < rows; r++) {
    for (int column = 0; column < units; column += lanes) {
      store(to + static_cast<ptrdiff_t>(r) * padded(units) + column,
            loadFirst(from + static_cast<ptrdiff_t>(r) * units + column, units - column));
    }
  }
}

inline void unpadRows(const float* from, float* to, int rows, int units) {
  for (int r = 0; r < rows; r++) {
    memcpy(to + static_cast<ptrdiff_t>(r) * units,
           from + static_cast<ptrdiff_t>(r) * padded(units), sizeof(float) * units);
  }
}

// The gradients of a layer's weights from one part, columns in the kernels' order.
struct WeightGradients {
  float* kernel;     // [features, width]
  float* recurrent;  // [recurrent rows, width]
  float* bias;       // [width]
};

// Adds what steps begin .. begin + steps - 1 give to the weights' gradients of a layer over a sequence:
// gradients [steps, part's rows, width] times the step's inputs and the state before it.
template <typename Given>
void addSequenceGradients(const Given& given, Part part, int begin, int steps,
                          const float* gradients, int width, WeightGradients to) {
  const int features = given.size.features, units = given.size.units;
  const ptrdiff_t batch = given.size.batch;
  const ptrdiff_t row = begin * batch + part.first;
  addOuter({given.inputs + row * features, batch * features, features}, features, steps, part.rows,
           gradients, width, to.kernel);
  const int first = begin == 0 ? 1 : 0;
  if (first == 1) {
    addOuter({given.initialState + static_cast<ptrdiff_t>(part.first) * units, 0, units}, units, 1,
             part.rows, gradients, width, to.recurrent);
  }
  const ptrdiff_t stepFloats = static_cast<ptrdiff_t>(part.rows) * width;
  addOuter({given.outputs + (row + (first - 1) * batch) * units, batch * units, units}, units,
           steps - first, part.rows, gradients + first * stepFloats, width, to.recurrent);
  addRows(gradients, steps * part.rows, width, to.bias);
}

// One part's gradients of a matrix, or of a bias with one row, for all parts.
inline void sumParts(const float* partials, ptrdiff_t partStride, int parts, int rows,
                     Columns columns, float* to) {
  const int width = columns.width();
  const ptrdiff_t stride = static_cast<ptrdiff_t>(columns.gates) * columns.units;
  for (int row = 0; row < rows; row++) {
    for (int column = 0; column < width; column += lanes) {
      const float* from = partials + static_cast<ptrdiff_t>(row) * width + column;
      Vector sum = load(from);
      for (int part = 1; part < parts; part++) sum += load(from + part * partStride);
      const int left = columns.units - column / (lanes * columns.gates) * lanes;
      storeFirst(to + row * stride + columns.given(column), sum, left);
    }
  }
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_PARTS_H_
