#include <climits>

#include "operation.h"

namespace teletrain {
namespace {

// Floats of a variable that are updated as one piece.
constexpr int64_t floatsTogether = 1 << 14;
// Fewer floats than these are updated sooner than other threads are woken.
constexpr int64_t worthThreads = 1 << 15;

// The inputs of a step in their order: two tensors of numbers, the lists that are as long as there are
// variables, the averages, and what there is of tables, which are the first of the variables.
struct Inputs {
  int variables, averages, tables;
  bool hasMomentum;

  int gradient(int variable) const { return 2 + variable; }
  int weights(int variable) const { return 2 + variables + variable; }
  int velocity(int variable) const { return 2 + 2 * variables + variable; }
  int momentum(int variable) const { return 2 + 3 * variables + variable; }
  int average(int variable) const { return 2 + (hasMomentum ? 4 : 3) * variables + variable; }
  int rows(int table) const { return average(0) + averages + table; }
  int settled(int table) const { return rows(0) + tables + table; }
};

struct Pieces {
  std::vector<UpdatePiece> list;
  int64_t floats = 0;

  // Of `count` floats, or rows of `width` floats.
  void add(int variable, int64_t count, int64_t width) {
    const int64_t most = floatsTogether > width ? floatsTogether / width : 1;
    for (int64_t first = 0; first < count; first += most) {
      list.push_back({variable, first, first + most < count ? most : count - first});
    }
    floats += count * width;
  }

  UpdatePieces view() const { return {list.data(), static_cast<int>(list.size())}; }
};

void readNumbers(const Call& call, OptimizerStep& step) {
  const float* numbers = call.input(0, {7});
  step.learningRate = numbers[0];
  step.momentumRest = numbers[1];
  step.velocityDecay = numbers[2];
  step.velocityRest = numbers[3];
  step.epsilon = numbers[4];
  step.clipNorm = numbers[5];
  step.averageMomentum = numbers[6];
  step.step = *call.integers(1, {});
}

// Throws ArgumentError unless rows are ascending and within the table.
void checkRows(const Call& call, int input, const OptimizedVariable& variable, int64_t rows) {
  for (int i = 0; i < variable.touched; i++) {
    if (variable.rows[i] <= (i == 0 ? -1 : variable.rows[i - 1]) || variable.rows[i] >= rows) {
      call.refuse(input, "holds rows that do not ascend within the table's " +
                             std::to_string(rows));
    }
  }
}

OptimizedVariable variableOf(const Call& call, const Inputs& inputs, int index) {
  OptimizedVariable variable{};
  const bool isTable = index < inputs.tables;
  const Shape shape = call.shape(inputs.weights(index));
  variable.size = 1;
  for (const int64_t dimension : shape) variable.size *= dimension;
  variable.weights = call.inPlace(inputs.weights(index), shape);
  variable.velocity = call.inPlace(inputs.velocity(index), shape);
  if (inputs.hasMomentum) variable.momentum = call.inPlace(inputs.momentum(index), shape);
  if (inputs.averages > 0) variable.average = call.inPlace(inputs.average(index), shape);
  if (!isTable) {
    variable.gradient = call.input(inputs.gradient(index), shape);
    return variable;
  }
  const Shape table = call.shape(inputs.weights(index), 2);
  const Shape rows = call.integersShape(inputs.rows(index), 1);
  variable.units = static_cast<int>(table[1]);
  variable.touched = static_cast<int>(rows[0]);
  variable.rows = call.integers(inputs.rows(index), rows);
  checkRows(call, inputs.rows(index), variable, table[0]);
  variable.gradient = call.input(inputs.gradient(index), {rows[0], table[1]});
  // Adam updates every row at once and has nothing to make up for.
  if (!inputs.hasMomentum) {
    variable.settled = call.integersInPlace(inputs.settled(index), {table[0]});
  }
  return variable;
}

void takeStep(Call& call, const Attributes& attributes, bool isAdam) {
  const Inputs inputs{static_cast<int>(attributes[0]), static_cast<int>(attributes[1]),
                      static_cast<int>(attributes[2]), isAdam};
  if (inputs.averages != 0 && inputs.averages != inputs.variables) {
    call.refuse(inputs.average(0), "is of a list of " + std::to_string(inputs.averages) +
                                       ", not of one for each of " +
                                       std::to_string(inputs.variables) + " variables");
  }
  std::vector<OptimizedVariable> variables;
  Pieces gradients, updates;
  for (int i = 0; i < inputs.variables; i++) {
    variables.push_back(variableOf(call, inputs, i));
    const OptimizedVariable& variable = variables.back();
    const bool isTable = variable.rows != nullptr;
    const int64_t width = isTable ? variable.units : 1;
    const int64_t given = isTable ? variable.touched : variable.size;
    gradients.add(i, given, width);
    updates.add(i, isTable && isAdam ? variable.size / width : given, width);
  }
  OptimizerStep step{};
  readNumbers(call, step);
  step.variables = variables.data();
  step.gradients = gradients.view();
  step.updates = updates.view();
  step.parallel = updates.floats >= worthThreads;
  const InstructionSet& best = instructionSetFor(INT_MAX);
  (isAdam ? best.adamStep : best.rmspropStep)(step, call);
}

// Makes up for the steps that RMSprop's tables missed, so that their velocities and averages can be read.
void settle(Call& call, const Attributes& attributes) {
  const bool isAveraged = attributes[0] != 0;
  OptimizedVariable table{};
  const Shape shape = call.shape(2, 2);
  table.size = shape[0] * shape[1];
  table.units = static_cast<int>(shape[1]);
  table.weights = call.inPlace(2, shape);
  table.velocity = call.inPlace(3, shape);
  if (isAveraged) table.average = call.inPlace(4, shape);
  table.settled = call.integersInPlace(5, {shape[0]});
  Pieces updates;
  updates.add(0, shape[0], shape[1]);
  OptimizerStep step{};
  readNumbers(call, step);
  step.variables = &table;
  step.updates = updates.view();
  step.parallel = updates.floats >= worthThreads;
  instructionSetFor(INT_MAX).settleRows(step, call);
}

const std::vector<const char*> stepAttributes{"variables: int >= 1", "averaged: int >= 0",
                                              "tables: int >= 0"};

[[maybe_unused]] const bool registered = [] {
  registerOperation(
      {"TeletrainRMSprop",
       {"numbers", "step", "gradients: variables * float", "weights: variables * float",
        "velocities: variables * float", "averages: averaged * float", "rows: tables * int32",
        "settled: tables * int32"},
       {},
       stepAttributes},
      [](Call& call, const Attributes& given) { takeStep(call, given, false); });
  registerOperation(
      {"TeletrainAdam",
       {"numbers", "step", "gradients: variables * float", "weights: variables * float",
        "velocities: variables * float", "momenta: variables * float",
        "averages: averaged * float", "rows: tables * int32"},
       {},
       stepAttributes},
      [](Call& call, const Attributes& given) { takeStep(call, given, true); });
  registerOperation({"TeletrainRMSpropSettle",
                     {"numbers", "step", "table", "velocity", "average", "settled"},
                     {},
                     {"averaged: bool"}},
                    settle);
  return true;
}();

}  // namespace
}  // namespace teletrain
