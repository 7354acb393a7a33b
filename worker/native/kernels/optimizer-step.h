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

// Calls update(first, count) -> new weights for each vector of a stretch and stores them.
template <typename Update>
inline void updateWeights(const Stretch& to, const StepConstants& with, const Update& update) {
  for (ptrdiff_t i = 0; i < to.count; i += lanes) {
    const int left = to.count - i < lanes ? static_cast<int>(to.count - i) : lanes;
    const Vector weights = update(i, left);
    storeFirst(to.weights + i, weights, left);
    if (to.average == nullptr) continue;
    const Vector average = loadFirst(to.average + i, left);
    storeFirst(to.average + i, averaged(average, weights, with.averageMomentum), left);
  }
}

inline void rmspropStretch(const Stretch& to, const StepConstants& with) {
  updateWeights(to, with, [&](ptrdiff_t i, int left) {
    const Vector gradient = loadFirst(to.gradient + i, left) * with.scale;
    const Vector remembered = loadFirst(to.velocity + i, left) * with.velocityDecay;
    const Vector velocity = flushed(remembered + with.velocityRest * (gradient * gradient));
    storeFirst(to.velocity + i, velocity, left);
    return loadFirst(to.weights + i, left) -
           with.learningRate * gradient / squareRoot(velocity + with.epsilon);
  });
}

inline void adamStretch(const Stretch& to, const StepConstants& with) {
  updateWeights(to, with, [&](ptrdiff_t i, int left) {
    const Vector gradient =
        to.gradient == nullptr ? Vector{} : loadFirst(to.gradient + i, left) * with.scale;
    Vector momentum = loadFirst(to.momentum + i, left);
    momentum += (gradient - momentum) * with.momentumRest;
    storeFirst(to.momentum + i, momentum, left);
    Vector velocity = loadFirst(to.velocity + i, left);
    velocity = flushed(velocity + (gradient * gradient - velocity) * with.velocityRest);
    storeFirst(to.velocity + i, velocity, left);
    return loadFirst(to.weights + i, left) -
           with.learningRate * momentum / (squareRoot(velocity) + with.epsilon);
  });
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
      return rmspropStretch(Stretch(variable, piece.first, piece.count, gradient), with);
    }
    const ptrdiff_t units = variable.units;
    for (ptrdiff_t i = piece.first; i < piece.first + piece.count; i++) {
      const ptrdiff_t row = variable.rows[i];
      settleRow(variable, row, given.step, with, averageMomentum);
      rmspropStretch(Stretch(variable, row * units, units, variable.gradient + i * units), with);
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
      return adamStretch(Stretch(variable, piece.first, piece.count, gradient), with);
    }
    const ptrdiff_t units = variable.units;
    int next = firstTouched(variable, piece.first);
    for (ptrdiff_t row = piece.first; row < piece.first + piece.count; row++) {
      const bool isTouched = next < variable.touched && variable.rows[next] == row;
      const float* gradient = isTouched ? variable.gradient + next * units : nullptr;
      next += isTouched ? 1 : 0;
      adamStretch(Stretch(variable, row * units, units, gradient), with);
    }
  });
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_OPTIMIZER_STEP_H_
