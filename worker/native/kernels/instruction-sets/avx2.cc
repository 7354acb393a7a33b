// Compiled with AVX2 and FMA; run only where the processor has both.
#define TELETRAIN_TARGET avx2
#define TELETRAIN_LANES 8
#define TELETRAIN_REGISTERS 16
#include "../all-kernels.h"

namespace teletrain {
extern const InstructionSet avx2InstructionSet;
const InstructionSet avx2InstructionSet = avx2::makeTable("avx2");
}  // namespace teletrain
