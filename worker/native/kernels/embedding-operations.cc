#include <string.h>

#include "operation.h"
#include "token-order.h"

namespace teletrain {
namespace {

// Throws ArgumentError where a token has no row in the table.
void checkTokens(const Call& call, int input, const int32_t* tokens, int64_t count,
                 int64_t vocabulary) {
  uint32_t largest = 0;  // A negative token is a large one.
  for (int64_t i = 0; i < count; i++) {
    const uint32_t token = static_cast<uint32_t>(tokens[i]);
    largest = token > largest ? token : largest;
  }
  if (largest < vocabulary) return;
  call.refuse(input, "holds the token " + std::to_string(static_cast<int32_t>(largest)) +
                         ", which is not within the vocabulary of " +
                         std::to_string(vocabulary));
}

void forward(Call& call, const Attributes&) {
  const Shape table = call.shape(0, 2);
  const Shape tokens = call.integersShape(1, 2);
  EmbeddingForward arguments{};
  arguments.timesteps = static_cast<int>(tokens[1]);
  arguments.batch = static_cast<int>(tokens[0]);
  arguments.units = static_cast<int>(table[1]);
  arguments.table = call.input(0, table);
  arguments.tokens = call.integers(1, tokens);
  checkTokens(call, 1, arguments.tokens, tokens[0] * tokens[1], table[0]);
  arguments.outputs = call.output(0, {tokens[1], tokens[0], table[1]});
  instructionSetFor(arguments.units).embeddingForward(arguments, call);
}

void backward(Call& call, const Attributes& attributes) {
  const int64_t vocabulary = attributes[0];
  const Shape tokensShape = call.integersShape(0, 2);
  const int64_t batch = tokensShape[0], timesteps = tokensShape[1], places = batch * timesteps;
  if (places > INT32_MAX / 2) call.refuse(0, "has too many places, " + std::to_string(places));
  const int64_t units = call.shape(1, 3)[2];
  const int32_t* tokens = call.integers(0, tokensShape);
  EmbeddingBackward arguments{};
  arguments.outputsGradient = call.input(1, {timesteps, batch, units});
  checkTokens(call, 0, tokens, places, vocabulary);

  const TokenOrder sorted(tokens, batch, timesteps, vocabulary);
  const int rows = sorted.rows();
  memcpy(call.integersOutput(0, {rows}), sorted.distinct(), sizeof(int32_t) * rows);
  arguments.places = static_cast<int>(places);
  arguments.rows = rows;
  arguments.units = static_cast<int>(units);
  arguments.order = sorted.order();
  arguments.starts = sorted.starts();
  arguments.rowsGradient = call.output(1, {rows, units});
  instructionSetFor(arguments.units).embeddingBackward(arguments, call);
}

[[maybe_unused]] const bool registered = [] {
  registerOperation({"TeletrainEmbedding", {"table", "tokens"}, {"outputs"}, {}}, forward);
  registerOperation({"TeletrainEmbeddingGrad",
                     {"tokens", "outputs_gradient"},
                     {"rows: int32", "rows_gradient"},
                     {"vocabulary: int"}},
                    backward);
  return true;
}();

}  // namespace
}  // namespace teletrain
