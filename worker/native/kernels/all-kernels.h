// The table of all kernels for the instruction set of the including file.

#include "dense-loss.h"
#include "dense.h"
#include "diagonal-lstm-gradient.h"
#include "embedding.h"
#include "gru.h"
#include "lstm.h"
#include "masked-convolution.h"
#include "optimizer-step.h"
#include "picture-sampler.h"
#include "simple-rnn.h"

namespace teletrain {
namespace TELETRAIN_TARGET {

template <Vector (*function)(Vector)>
void mapEach(const float* from, float* to, size_t count) {
  for (size_t i = 0; i < count; i += lanes) {
    const int left = count - i < static_cast<size_t>(lanes) ? static_cast<int>(count - i) : lanes;
    storeFirst(to + i, function(loadFirst(from + i, left)), left);
  }
}

inline Vector tanhOf(Vector x) { return tanh(x); }
inline Vector sigmoidOf(Vector x) { return sigmoid(x); }

constexpr InstructionSet makeTable(const char* name) {
  InstructionSet table{};
  table.name = name;
  table.lanes = lanes;
  table.simpleRnnForward = simpleRnnForward;
  table.simpleRnnBackward = simpleRnnBackward;
  table.lstmForward = lstmForward;
  table.lstmBackward = lstmBackward;
  table.gruForward = gruForward;
  table.gruBackward = gruBackward;
  table.diagonalLstmForward = diagonalLstmForward;
  table.diagonalLstmBackward = diagonalLstmBackward;
  table.denseForward = denseForward;
  table.denseBackward = denseBackward;
  table.denseLoss = denseLoss;
  table.maskedConvolutionForward = maskedConvolutionForward;
  table.maskedConvolutionBackward = maskedConvolutionBackward;
  table.sampleRows = sampleRows;
  table.embeddingForward = embeddingForward;
  table.embeddingBackward = embeddingBackward;
  table.rmspropStep = rmspropStep;
  table.adamStep = adamStep;
  table.settleRows = settleRows;
  table.tanh = mapEach<tanhOf>;
  table.sigmoid = mapEach<sigmoidOf>;
  return table;
}

}  // namespace TELETRAIN_TARGET
}  // namespace teletrain
