// Vectors of float32 for the instruction set that the including file is compiled for. Included once
// by each file in instruction-sets/, which defines
//   TELETRAIN_TARGET     the namespace: code for one instruction set is never merged with another's
//   TELETRAIN_LANES      floats in a vector
//   TELETRAIN_REGISTERS  vector registers of the processor

#ifndef TELETRAIN_KERNELS_VECTOR_H_
#define TELETRAIN_KERNELS_VECTOR_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TELETRAIN_INLINE static inline __attribute__((always_inline))

namespace teletrain {
namespace TELETRAIN_TARGET {

constexpr int lanes = TELETRAIN_LANES;

typedef float Vector __attribute__((vector_size(TELETRAIN_LANES * 4)));
typedef int32_t Integers __attribute__((vector_size(TELETRAIN_LANES * 4)));
typedef float Unaligned
    __attribute__((vector_size(TELETRAIN_LANES * 4), aligned(4), may_alias));

TELETRAIN_INLINE Vector splat(float value) { return value - Vector{}; }

TELETRAIN_INLINE Vector load(const float* from) {
  return *reinterpret_cast<const Unaligned*>(from);
}

TELETRAIN_INLINE void store(float* to, Vector value) {
  *reinterpret_cast<Unaligned*>(to) = value;
}

// The first `count` floats, the other lanes zero; reads no memory past them.
TELETRAIN_INLINE Vector loadFirst(const float* from, int count) {
  if (count >= lanes) return load(from);
  alignas(sizeof(Vector)) float values[lanes] = {};
  memcpy(values, from, sizeof(float) * count);
  return load(values);
}

// Writes the first `count` lanes and no memory past them.
TELETRAIN_INLINE void storeFirst(float* to, Vector value, int count) {
  if (count >= lanes) return store(to, value);
  alignas(sizeof(Vector)) float values[lanes];
  store(values, value);
  memcpy(to, values, sizeof(float) * count);
}

TELETRAIN_INLINE Vector select(Integers condition, Vector yes, Vector no) {
  return (Vector)((condition & (Integers)yes) | (~condition & (Integers)no));
}

TELETRAIN_INLINE Vector squareRoot(Vector x) {
  Vector root;
  for (int lane = 0; lane < lanes; lane++) root[lane] = __builtin_sqrtf(x[lane]);
  return root;
}

// e^x - 1 as scale · p + (scale - 1) and e^x as scale + scale · p, for |x| <= 87.
struct Exponential {
  Vector scale;  // 2^n
  Vector p;      // e^r - 1, where x = n · ln 2 + r and |r| <= ln 2 / 2
};

// The polynomial is a minimax fit of (e^r - 1) / r, relative error 1.4e-8. A NaN stays one.
TELETRAIN_INLINE Exponential exponential(Vector x) {
  // Adding 1.5 · 2^23 rounds to an integer, which is then in the low bits.
  const Vector rounder = splat(12582912.0f);
  const Vector shifted = x * splat(1.44269504f) + rounder;
  const Vector n = shifted - rounder;
  // ln 2 in two parts, the first with few enough bits that n times it is exact.
  Vector r = x - n * splat(0.693359375f);
  r = r + n * splat(2.12194440e-4f);
  Vector q = splat(0.00138825167f);
  q = q * r + splat(0.00836654752f);
  q = q * r + splat(0.0416672006f);
  q = q * r + splat(0.166665435f);
  q = q * r + splat(0.49999997f);
  const Integers exponent = ((Integers)shifted + 127) << 23;
  return {(Vector)exponent, r + (r * r) * q};
}

// Error at most 2.6 units in the last place, odd, never beyond ±1.
TELETRAIN_INLINE Vector tanh(Vector x) {
  const Integers sign = (Integers)x & INT32_MIN;
  Vector magnitude = (Vector)((Integers)x ^ sign);
  // From here on tanh rounds to 1.
  const Vector most = splat(9.1f);
  magnitude = select(magnitude > most, most, magnitude);
  const Exponential e = exponential(magnitude + magnitude);
  const Vector minusOne = e.scale * e.p + (e.scale - splat(1.0f));
  const Vector result = minusOne / (minusOne + splat(2.0f));
  return (Vector)((Integers)result | sign);
}

// Error at most 2.5 units in the last place down to sigmoid(-87) = 1.6e-38, where it stays for
// smaller x, so that no result is denormal.
TELETRAIN_INLINE Vector sigmoid(Vector x) {
  const Vector limit = splat(87.0f);
  Vector negative = select(x > limit, -limit, -x);
  negative = select(negative > limit, limit, negative);
  const Exponential e = exponential(negative);
  return splat(1.0f) / (splat(1.0f) + (e.scale + e.scale * e.p));
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_VECTOR_H_
