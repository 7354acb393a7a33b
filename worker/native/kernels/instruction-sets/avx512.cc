// Compiled with AVX-512; run only where the processor has it.
#define TELETRAIN_TARGET avx512
#define TELETRAIN_LANES 16
#define TELETRAIN_REGISTERS 32
#include "../all-kernels.h"

namespace teletrain {
extern const InstructionSet avx512InstructionSet;
const InstructionSet avx512InstructionSet = avx512::makeTable("avx512");
}  // namespace teletrain
