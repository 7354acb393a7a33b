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

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define TELETRAIN_INLINE static inline __attribute__((always_inline))

namespace teletrain {
namespace TELETRAIN_TARGET {

constexpr int lanes = TELETRAIN_LANES;

typedef float Vector __attribute__((vector_size(TELETRAIN_LANES * 4)));
typedef int32_t Integers __attribute__((vector_size(TELETRAIN_LANES * 4)));
typedef float Unaligned
    __attribute__((vector_size(TELETRAIN_LANES * 4), aligned(4), may_alias));

#if defined(__AVX512F__)
TELETRAIN_INLINE __mmask16 firstLanes(int count) {
  return static_cast<__mmask16>((1u << count) - 1);
}
#elif defined(__AVX2__)
TELETRAIN_INLINE __m256i firstLanes(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif

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
#if defined(__AVX512F__)
  return (Vector)_mm512_maskz_loadu_ps(firstLanes(count), from);
#elif defined(__AVX2__)
  return (Vector)_mm256_maskload_ps(from, firstLanes(count));
#else
  alignas(sizeof(Vector)) float values[lanes] = {};
  memcpy(values, from, sizeof(float) * count);
  return load(values);
#endif
}

// Writes the first `count` lanes and no memory past them.
TELETRAIN_INLINE void storeFirst(float* to, Vector value, int count) {
  if (count >= lanes) return store(to, value);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, firstLanes(count), (__m512)value);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(to, firstLanes(count), (__m256)value);
#else
  alignas(sizeof(Vector)) float values[lanes];
  store(values, value);
  memcpy(to, values, sizeof(float) * count);
#endif
}

TELETRAIN_INLINE Vector select(Integers condition, Vector yes, Vector no) {
  return (Vector)((condition & (Integers)yes) | (~condition & (Integers)no));
}

TELETRAIN_INLINE Vector squareRoot(Vector x) {
  Vector root;
  for (int lane = 0; lane < lanes; lane++) root[lane] = __builtin_sqrtf(x[lane]);
  return root;
}

// The smaller of limit and x, and the larger; a NaN in x stays one.
TELETRAIN_INLINE Vector atMost(Vector limit, Vector x) {
#if defined(__AVX512F__)
  return (Vector)_mm512_min_ps((__m512)limit, (__m512)x);
#elif defined(__AVX2__)
  return (Vector)_mm256_min_ps((__m256)limit, (__m256)x);
#else
  return select(x > limit, limit, x);
#endif
}

TELETRAIN_INLINE Vector atLeast(Vector limit, Vector x) {
#if defined(__AVX512F__)
  return (Vector)_mm512_max_ps((__m512)limit, (__m512)x);
#elif defined(__AVX2__)
  return (Vector)_mm256_max_ps((__m256)limit, (__m256)x);
#else
  return select(x < limit, limit, x);
#endif
}

// Adding this rounds a float to an integer n, and leaves 127 + n, the exponent of 2^n, in the low bits.
constexpr float rounder = 12582912.0f + 127.0f;

// 2^n from what adding the rounder gave.
TELETRAIN_INLINE Vector powerOfTwo(Vector rounded) { return (Vector)((Integers)rounded << 23); }

// Error at most 2.6 units in the last place, odd, never beyond ±1. With 2|x| = n · ln 2 + 2r and
// |r| <= ln 2 / 4, e^(2|x|) = 2^n · (1 + 2p), where p is a minimax polynomial of (e^2r - 1) / 2 with a
// relative error of 1.4e-8. A NaN stays one.
TELETRAIN_INLINE Vector tanh(Vector x) {
  const Integers sign = (Integers)x & INT32_MIN;
  // From 9.1 on tanh rounds to 1.
  const Vector magnitude = atMost(splat(9.1f), (Vector)((Integers)x ^ sign));
  const Vector shifted = magnitude * splat(2.88539008f) + splat(rounder);
  const Vector n = shifted - splat(rounder);
  // What ln 2 lacks in float32 is too little, for so small an n, to be seen in the result.
  const Vector r = magnitude - n * splat(0.34657359f);
  Vector q = splat(0.0444240534f);
  q = q * r + splat(0.133864760f);
  q = q * r + splat(0.333337605f);
  q = q * r + splat(0.666661740f);
  q = q * r + splat(0.99999994f);
  const Vector p = r + (r * r) * q;
  const Vector scale = powerOfTwo(shifted);
  const Vector minusOne = (scale + scale) * p + (scale - splat(1.0f));
  const Vector result = minusOne / (minusOne + splat(2.0f));
  return (Vector)((Integers)result | sign);
}

// Error at most 2.5 units in the last place down to sigmoid(-87) = 1.6e-38, where it stays for
// smaller x, so that no result is denormal. With -x = n · ln 2 + r and |r| <= ln 2 / 2,
// e^-x = 2^n · (1 + p) as in tanh.
TELETRAIN_INLINE Vector sigmoid(Vector x) {
  const Vector limited = atMost(splat(87.0f), atLeast(splat(-87.0f), x));
  const Vector shifted = splat(rounder) - limited * splat(1.44269504f);
  const Vector n = shifted - splat(rounder);
  // -r, with ln 2 in two parts, the first with few enough bits that n times it is exact.
  Vector r = limited + n * splat(0.693359375f);
  r = r - n * splat(2.12194440e-4f);
  Vector q = splat(0.00138825167f);
  q = splat(0.00836654752f) - q * r;
  q = splat(0.0416672006f) - q * r;
  q = splat(0.166665435f) - q * r;
  q = splat(0.49999997f) - q * r;
  const Vector p = (r * r) * q - r;
  const Vector scale = powerOfTwo(shifted);
  return splat(1.0f) / ((scale + splat(1.0f)) + scale * p);
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_VECTOR_H_
