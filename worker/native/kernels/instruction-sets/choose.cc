#include <stdlib.h>
#include <string.h>

#include "../kernels.h"

namespace teletrain {

extern const InstructionSet plainInstructionSet;
#if defined(__x86_64__)
extern const InstructionSet avx2InstructionSet;
extern const InstructionSet avx512InstructionSet;
#endif

namespace {

struct Usable {
  const InstructionSet* sets[4] = {&plainInstructionSet};
  int count = 1;

  Usable() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const char* most = getenv("TELETRAIN_INSTRUCTION_SET");
    if (most != nullptr && strcmp(most, "plain") == 0) return;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
    sets[count++] = &avx2InstructionSet;
    if (most != nullptr && strcmp(most, "avx2") == 0) return;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq")) {
      return;
    }
    sets[count++] = &avx512InstructionSet;
#endif
  }
};

const Usable& usable() {
  static const Usable found;
  return found;
}

}  // namespace

const InstructionSet* const* instructionSets() { return usable().sets; }

const InstructionSet& instructionSetFor(int units) {
  // Wide vectors that a narrow layer would leave half empty are worse than full ones of half the
  // width. The plain code is never better: it rounds twice where the others fuse, and so has other bits.
  int index = usable().count - 1;
  while (index > 1 && units <= usable().sets[index - 1]->lanes) index--;
  return *usable().sets[index];
}

}  // namespace teletrain
