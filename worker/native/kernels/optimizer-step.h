// RMSprop and Adam over all variables of a network, with the global norm of their gradients and the
// average of the weights. See kernels.h for the arguments; the formulas are Keras'.

#ifndef TELETRAIN_KERNELS_OPTIMIZER_STEP_H_
#define TELETRAIN_KERNELS_OPTIMIZER_STEP_H_

#include <float.h>

#include "vector.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

// Calls body(index, piece) for all pieces.
template <typename Body>
void forEachPiece(const OptimizerStep& given, UpdatePieces pieces, Runtime& runtime,
                  const Body& body) {
  if (!given.parallel) {
    for (int i = 0; i < pieces.count; i++) body(i, pieces.pieces[i]);
    return;
  }
  struct Closure {
    const Body& body;
    const UpdatePiece* pieces;
  } closure{body, pieces.pieces};
  runtime.parallel(
      pieces.count,
      [](void* given, int index) {
        const Closure& here = *static_cast<Closure*>(given);
        here.body(index, here.pieces[index]);
      },
      &closure);
}

// In sixteen sums of 256 squares each, whatever the width of a vector, added as doubles.
inline double sumOfSquares(const float* values, ptrdiff_t count) {
  constexpr int width = 16, vectors = width / lanes, together = 256 * width;
  double total = 0;
  for (ptrdiff_t first = 0; first < count; first += together) {
    const ptrdiff_t after = count - first < together ? count : first + together;
    Vector sums[vectors] = {};
    for (ptrdiff_t i = first; i < after; i += width) {
      for (int j = 0; j < vectors; j++) {
        const ptrdiff_t left = after - i - j * lanes;
        if (left <= 0) break;
        const int taken = left < lanes ? static_cast<int>(left) : lanes;
        const Vector value = loadFirst(values + i + j * lanes, taken);
        sums[j] += value * value;
      }
    }
    for (int j = 0; j < vectors; j++) {
      for (int lane = 0; lane < lanes; lane++) total += sums[j][lane];
    }
  }
  return total;
}

// What gradients are multiplied by so that the norm of all of them is at most clipNorm.
inline float clipScale(const OptimizerStep& given, Runtime& runtime) {
  if (given.clipNorm <= 0) return 1;
  const UpdatePieces& pieces = given.gradients;
  float* memory = runtime.allocate(static_cast<size_t>(pieces.count) * 2);
  double* squares = reinterpret_cast<double*>(memory);
  forEachPiece(given, pieces, runtime, [&](int index, const UpdatePiece& piece) {
    const OptimizedVariable& variable = given.variables[piece.variable];
    const ptrdiff_t width = variable.rows == nullptr ? 1 : variable.units;
    squares[index] = sumOfSquares(variable.gradient + piece.first * width, piece.count * width);
  });
  double total = 0;
  for (int i = 0; i < pieces.count; i++) total += squares[i];
  const double norm = __builtin_sqrt(total);
  return norm > given.clipNorm ? static_cast<float>(given.clipNorm / norm) : 1;
}

// A mean of squares that nothing is added to any more would linger among the denormal numbers, on
// which processors are slow; below them it is zero.
TELETRAIN_INLINE Vector flushed(Vector velocity) {
  return select(velocity < splat(FLT_MIN), Vector{}, velocity);
}

TELETRAIN_INLINE bool isZero(Vector values) {
  const Integers bits = (Integers)values;
  int32_t any = 0;
  for (int lane = 0; lane < lanes; lane++) any |= bits[lane];
  return any == 0;
}

// The numbers of a step that all pieces share.
struct StepConstants {
  Vector learningRate, momentumRest, velocityDecay, velocityRest, epsilon, scale, averageMomentum;

  StepConstants(const OptimizerStep& given, float scale)
      : learningRate(splat(given.learningRate)),
        momentumRest(splat(given.momentumRest)),
        velocityDecay(splat(given.velocityDecay)),
        velocityRest(splat(given.velocityRest)),
        epsilon(splat(given.epsilon)),
        scale(splat(scale)),
        // The first average is the weights themselves.
        averageMomentum(splat(given.step == 0 ? 0 : given.averageMomentum)) {}
};

// A stretch of a variable, its slots and its gradient (null where that is zero).
struct Stretch {
  float *weights, *momentum, *velocity, *average;
  const float* gradient;
  ptrdiff_t count;

  Stretch(const OptimizedVariable& variable, ptrdiff_t first, ptrdiff_t count,
          const float* gradient)
      : weights(variable.weights + first),
        momentum(variable.momentum == nullptr ? nullptr : variable.momentum + first),
        velocity(variable.velocity + first),
        average(variable.average == nullptr ? nullptr : variable.average + first),
        gradient(gradient),
        count(count) {}
};

TELETRAIN_INLINE Vector averaged(Vector average, Vector weights, Vector momentum) {
  return weights + momentum * (average - weights);
}

TELETRAIN_INLINE void storeWeights(const Stretch& to, ptrdiff_t i, Vector weights,
                                   const StepConstants& with) {
  store(to.weights + i, weights);
  if (to.average == nullptr) return;
  store(to.average + i, averaged(load(to.average + i), weights, with.averageMomentum));
}

// Whole vectors of a stretch. Never inlined, like adamVectors: a compiler may fuse other products with
// sums in another copy of the code, and a table's row has to come to the same bits as a dense variable.
__attribute__((noinline)) static void rmspropVectors(const Stretch& to,
                                                     const StepConstants& with) {
  for (ptrdiff_t i = 0; i < to.count; i += lanes) {
    const Vector gradient = load(to.gradient + i) * with.scale;
    const Vector remembered = load(to.velocity + i) * with.velocityDecay;
    const Vector velocity = flushed(remembered + with.velocityRest * (gradient * gradient));
    store(to.velocity + i, velocity);
    const Vector step = with.learningRate * gradient / squareRoot(velocity + with.epsilon);
    storeWeights(to, i, load(to.weights + i) - step, with);
  }
}

__attribute__((noinline)) static void adamVectors(const Stretch& to, const StepConstants& with) {
  for (ptrdiff_t i = 0; i < to.count; i += lanes) {
    const Vector gradient =
        to.gradient == nullptr ? Vector{} : load(to.gradient + i) * with.scale;
    Vector momentum = load(to.momentum + i);
    momentum += (gradient - momentum) * with.momentumRest;
    store(to.momentum + i, momentum);
    Vector velocity = load(to.velocity + i);
    velocity = flushed(velocity + (gradient * gradient - velocity) * with.velocityRest);
    store(to.velocity + i, velocity);
    const Vector step = with.learningRate * momentum / (squareRoot(velocity) + with.epsilon);
    storeWeights(to, i, load(to.weights + i) - step, with);
  }
}

// Updates a stretch of any length: what fills no vector by itself, in one that is filled up with zeros.
template <void (*updateVectors)(const Stretch&, const StepConstants&)>
inline void update(Stretch to, const StepConstants& with) {
  const int left = static_cast<int>(to.count % lanes);
  Stretch last = to;
  to.count -= left;
  if (to.count > 0) updateVectors(to, with);
  if (left == 0) return;
  alignas(sizeof(Vector)) float memory[5][lanes] = {};
  const auto take = [&](int index, auto*& from) {
    if (from == nullptr) return;
    memcpy(memory[index], from + to.count, sizeof(float) * left);
    from = memory[index];
  };
  take(0, last.weights);
  take(1, last.momentum);
  take(2, last.velocity);
  take(3, last.average);
  take(4, last.gradient);
  last.count = lanes;
  updateVectors(last, with);
  const auto giveBack = [&](float* given, const float* from) {
    if (given != nullptr) memcpy(given + to.count, from, sizeof(float) * left);
  };
  giveBack(to.weights, last.weights);
  giveBack(to.momentum, last.momentum);
  giveBack(to.velocity, last.velocity);
  giveBack(to.average, last.average);
}

// RMSprop's steps from `settled` to `step` without a gradient, for a row: its velocity decays, its
// weights stay, and their average moves towards them. Each step is done by itself, so that it does not
// matter in how many portions they are made up for.
inline void settleRow(const OptimizedVariable& variable, ptrdiff_t row, int step,
                      const StepConstants& with, Vector averageMomentum) {
  const int settled = variable.settled[row];
  if (settled == step) return;
  const Stretch to(variable, row * variable.units, variable.units, nullptr);
  constexpr int stepsTogether = 16;
  for (ptrdiff_t i = 0; i < to.count; i += lanes) {
    const int left = to.count - i < lanes ? static_cast<int>(to.count - i) : lanes;
    Vector velocity = loadFirst(to.velocity + i, left);
    for (int at = settled; at < step && !isZero(velocity);) {
      const int end = step - at < stepsTogether ? step : at + stepsTogether;
      for (; at < end; at++) velocity = flushed(velocity * with.velocityDecay);
    }
    storeFirst(to.velocity + i, velocity, left);
    if (to.average == nullptr) continue;
    const Vector weights = loadFirst(to.weights + i, left);
    Vector average = loadFirst(to.average + i, left);
    // After the first step the average of weights that stayed is what it was from the beginning.
    for (int at = settled > 1 ? settled : 1; at < step; at++) {
      const Vector next = averaged(average, weights, averageMomentum);
      if (isZero((Vector)((Integers)next ^ (Integers)average))) break;
      average = next;
    }
    storeFirst(to.average + i, average, left);
  }
  variable.settled[row] = step;
}

inline void rmspropStep(const OptimizerStep& given, Runtime& runtime) {
  const StepConstants with(given, clipScale(given, runtime));
  const Vector averageMomentum = splat(given.averageMomentum);
  forEachPiece(given, given.updates, runtime, [&](int, const UpdatePiece& piece) {
    const OptimizedVariable& variable = given.variables[piece.variable];
    if (variable.rows == nullptr) {
      const float* gradient = variable.gradient + piece.first;
      return update<rmspropVectors>(Stretch(variable, piece.first, piece.count, gradient), with);
    }
    const ptrdiff_t units = variable.units;
    for (ptrdiff_t i = piece.first; i < piece.first + piece.count; i++) {
      const ptrdiff_t row = variable.rows[i];
      settleRow(variable, row, given.step, with, averageMomentum);
      update<rmspropVectors>(
          Stretch(variable, row * units, units, variable.gradient + i * units), with);
      variable.settled[row] = given.step + 1;
    }
  });
}

inline void settleRows(const OptimizerStep& given, Runtime& runtime) {
  const StepConstants with(given, 1);
  const Vector averageMomentum = splat(given.averageMomentum);
  forEachPiece(given, given.updates, runtime, [&](int, const UpdatePiece& piece) {
    const OptimizedVariable& variable = given.variables[piece.variable];
    for (ptrdiff_t row = piece.first; row < piece.first + piece.count; row++) {
      settleRow(variable, row, given.step, with, averageMomentum);
    }
  });
}

// The first of a table's touched rows that is not before `row`.
inline int firstTouched(const OptimizedVariable& variable, ptrdiff_t row) {
  int first = 0, after = variable.touched;
  while (first < after) {
    const int middle = first + (after - first) / 2;
    if (variable.rows[middle] < row) {
      first = middle + 1;
    } else {
      after = middle;
    }
  }
  return first;
}

// A table's rows without a gradient are updated as well: Adam goes on moving them by their momentum,
// so whoever reads one would have to make up for its steps first, each with a root and a division as
// here. Nothing would be saved but memory traffic that the cache holds.
inline void adamStep(const OptimizerStep& given, Runtime& runtime) {
  const StepConstants with(given, clipScale(given, runtime));
  forEachPiece(given, given.updates, runtime, [&](int, const UpdatePiece& piece) {
    const OptimizedVariable& variable = given.variables[piece.variable];
    if (variable.rows == nullptr) {
      const float* gradient = variable.gradient + piece.first;
      return update<adamVectors>(Stretch(variable, piece.first, piece.count, gradient), with);
    }
    const ptrdiff_t units = variable.units;
    int next = firstTouched(variable, piece.first);
    for (ptrdiff_t row = piece.first; row < piece.first + piece.count; row++) {
      const bool isTouched = next < variable.touched && variable.rows[next] == row;
      const float* gradient = isTouched ? variable.gradient + next * units : nullptr;
      next += isTouched ? 1 : 0;
      update<adamVectors>(Stretch(variable, row * units, units, gradient), with);
    }
  });
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_OPTIMIZER_STEP_H_
