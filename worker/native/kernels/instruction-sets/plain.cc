// The code that any processor of the architecture runs: SSE2 on x86-64, NEON on arm64.
#define TELETRAIN_TARGET plain
#define TELETRAIN_LANES 4
#if defined(__x86_64__)
#define TELETRAIN_REGISTERS 16
#else
#define TELETRAIN_REGISTERS 32
#endif
#include "../all-kernels.h"

namespace teletrain {
extern const InstructionSet plainInstructionSet;
const InstructionSet plainInstructionSet = plain::makeTable("plain");
}  // namespace teletrain
