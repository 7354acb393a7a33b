// The lookup of tokens' vectors and its gradient. See kernels.h for what is computed.

#ifndef TELETRAIN_KERNELS_EMBEDDING_H_
#define TELETRAIN_KERNELS_EMBEDDING_H_

#include "parts.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

// Timesteps of all sequences that a part looks up: a cache line of each sequence's tokens.
constexpr int timestepsTogether = 16;
// Places whose gradients a part sums up.
constexpr int placesTogether = 2048;
// Places ahead that memory is asked for: they lie wherever the tokens were.
constexpr int placesAhead = 8;

inline void embeddingForward(const EmbeddingForward& given, Runtime& runtime) {
  const int units = given.units;
  forEachPart(runtime, Groups(given.timesteps, timestepsTogether), [&](int, Part part) {
    for (int step = part.first; step < part.first + part.rows; step++) {
      float* to = given.outputs + static_cast<ptrdiff_t>(step) * given.batch * units;
      for (int i = 0; i < given.batch; i++, to += units) {
        const int token = given.tokens[static_cast<ptrdiff_t>(i) * given.timesteps + step];
        const float* from = given.table + static_cast<ptrdiff_t>(token) * units;
        for (int unit = 0; unit < units; unit += lanes) {
          storeFirst(to + unit, loadFirst(from + unit, units - unit), units - unit);
        }
      }
    }
  });
}

// The sum of the gradients at `count` places, in their order.
template <int vectors>
inline void sumPlaces(const EmbeddingBackward& given, const int* places, int count, int unit,
                      float* to) {
  const int units = given.units;
  const float* from = given.outputsGradient + unit;
  Vector sums[vectors] = {};
  for (int i = 0; i < count; i++) {
    const int ahead = places[i + placesAhead < count ? i + placesAhead : count - 1];
    __builtin_prefetch(from + static_cast<ptrdiff_t>(ahead) * units);
    const float* gradient = from + static_cast<ptrdiff_t>(places[i]) * units;
    for (int j = 0; j < vectors; j++) {
      sums[j] += loadFirst(gradient + j * lanes, units - unit - j * lanes);
    }
  }
  for (int j = 0; j < vectors; j++) {
    storeFirst(to + unit + j * lanes, sums[j], units - unit - j * lanes);
  }
}

inline void sumPlaces(const EmbeddingBackward& given, const int* places, int count, float* to) {
  int unit = 0;
  for (; given.units - unit > 3 * lanes; unit += 4 * lanes) {
    sumPlaces<4>(given, places, count, unit, to);
  }
  for (; given.units - unit > lanes; unit += 2 * lanes) {
    sumPlaces<2>(given, places, count, unit, to);
  }
  for (; unit < given.units; unit += lanes) sumPlaces<1>(given, places, count, unit, to);
}

// The row whose places hold the given place of `order`.
inline int rowOfPlace(const EmbeddingBackward& given, int place) {
  int first = 0, after = given.rows;
  while (after - first > 1) {
    const int middle = first + (after - first) / 2;
    (given.starts[middle] <= place ? first : after) = middle;
  }
  return first;
}

// Parts are ranges of `order`, so that a token that is most of a batch is shared out like any other. A
// row's sum is that of its places in the part where it begins, then those of the parts after it.
inline void embeddingBackward(const EmbeddingBackward& given, Runtime& runtime) {
  const Groups parts(given.places, placesTogether);
  const int units = given.units;
  float* continued = runtime.allocate(static_cast<size_t>(parts.count) * units);
  forEachPart(runtime, parts, [&](int index, Part part) {
    const int after = part.first + part.rows;
    int row = rowOfPlace(given, part.first);
    for (int place = part.first; place < after; row++) {
      const int end = given.starts[row + 1] < after ? given.starts[row + 1] : after;
      float* to = given.starts[row] == place
                      ? given.rowsGradient + static_cast<ptrdiff_t>(row) * units
                      : continued + static_cast<ptrdiff_t>(index) * units;
      sumPlaces(given, given.order + place, end - place, to);
      place = end;
    }
  });
  for (int index = 1; index < parts.count; index++) {
    const int row = rowOfPlace(given, parts.first(index));
    if (given.starts[row] == parts.first(index)) continue;
    float* to = given.rowsGradient + static_cast<ptrdiff_t>(row) * units;
    for (int unit = 0; unit < units; unit++) {
      to[unit] += continued[static_cast<ptrdiff_t>(index) * units + unit];
    }
  }
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_EMBEDDING_H_
