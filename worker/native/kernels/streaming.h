// Copies to memory that is not read again soon: past the caches, which neither read the old contents
// first nor give up what they hold.

#ifndef TELETRAIN_KERNELS_STREAMING_H_
#define TELETRAIN_KERNELS_STREAMING_H_

#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace teletrain {
namespace TELETRAIN_TARGET {

// What is kept of more bytes than this has left the caches when it is read again, on the machines
// measured; of less, it had better stay there.
constexpr ptrdiff_t leastStreamedBytes = 2 << 20;

// `to` is aligned as a vector is.
TELETRAIN_INLINE void stream(float* to, Vector value) {
#if defined(__x86_64__) && TELETRAIN_LANES == 16
  _mm512_stream_ps(to, (__m512)value);
#elif defined(__x86_64__) && TELETRAIN_LANES == 8
  _mm256_stream_ps(to, (__m256)value);
#elif defined(__x86_64__)
  _mm_stream_ps(to, (__m128)value);
#else
  store(to, value);
#endif
}

inline void copyStreaming(float* to, const float* from, ptrdiff_t count) {
  ptrdiff_t i = 0;
  if (reinterpret_cast<uintptr_t>(to) % sizeof(Vector) == 0) {
    for (; i + lanes <= count; i += lanes) stream(to + i, load(from + i));
  }
  memcpy(to + i, from + i, sizeof(float) * static_cast<size_t>(count - i));
}

// Other threads see what this one streamed only after this.
inline void endStreaming() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_STREAMING_H_
