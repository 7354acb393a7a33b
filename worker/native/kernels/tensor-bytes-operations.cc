#include <stdint.h>
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "operation.h"

namespace teletrain {
namespace {

// The two halves of an offset: a kernel is kept for each value of an attribute, so it is none.
constexpr int lowBits = 30;

// Asks for memory that nobody has written to yet in pages of 2 MiB where the system has them: 64 MiB
// take 32 of them, and 16,384 small ones take longer to get than the bytes to copy.
void wishLargePages(const Bytes& memory) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t page = 2 << 20;
  const uintptr_t start = (reinterpret_cast<uintptr_t>(memory.at) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(memory.at) + memory.count) / page * page;
  // Refused where the system has none, which changes nothing.
  if (end > start) madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);
#endif
}

void putBytes(Call& call, const Attributes&) {
  const Bytes tensor = call.bytes(0);
  const Bytes part = call.bytes(1);
  const int32_t* offset = call.integers(2, {2});
  const uint64_t at =
      static_cast<uint64_t>(offset[0]) + (static_cast<uint64_t>(offset[1]) << lowBits);
  const bool isNegative = offset[0] < 0 || offset[1] < 0;
  if (isNegative || at > tensor.count || part.count > tensor.count - at) {
    call.refuse(2, "leaves no room for the part");
  }
  if (at == 0) wishLargePages(tensor);
  memcpy(tensor.at + at, part.at, part.count);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation({"TeletrainPutBytes", {"tensor", "part", "offset"}, {}, {}}, putBytes);
  return true;
}();

}  // namespace
}  // namespace teletrain
