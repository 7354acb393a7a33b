// TensorFlow's C API for the kernels: what an operation is declared as, and a call's tensors, checked.

#ifndef TELETRAIN_KERNELS_OPERATION_H_
#define TELETRAIN_KERNELS_OPERATION_H_

#include <stdint.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "kernels.h"
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_tensor.h"

namespace teletrain {

// Says which argument of an operation is wrong; ends the call, not the process.
struct ArgumentError {
  std::string message;
};

using Shape = std::vector<int64_t>;

struct Operation {
  const char* name;
  // Every one a tensor of any type and shape as far as TensorFlow is concerned; the call checks them.
  std::vector<const char*> inputs;
  std::vector<const char*> outputs;
  // "name: bool" or "name: int", each
  std::vector<const char*> attributes;
  // After the inputs, any number of float32 tensors of this name; the attribute N tells how many.
  const char* list = nullptr;
};

// Values of an operation's attributes, in their order.
using Attributes = std::vector<int64_t>;

// One call of an operation.
class Call final : public Runtime {
 public:
  Call(const Operation& operation, TF_OpKernelContext* context);
  ~Call() override;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // How many tensors the list has; the first follows the last of the other inputs.
  int listLength() const { return static_cast<int>(inputs_.size() - operation_.inputs.size()); }
  // An input's shape. Throws ArgumentError unless it is float32 of this rank with no dimension zero.
  Shape shape(int input, int rank) const;
  // An input's values. Throws ArgumentError unless it is float32 of this shape.
  const float* input(int input, const Shape& shape) const;
  // The same, or null where the input is empty, of the shape [0].
  const float* optionalInput(int input, const Shape& shape) const;
  // The new output's values; a dimension may be zero.
  float* output(int output, const Shape& shape);
  // Throws ArgumentError: "Operation: argument <name> <what>".
  [[noreturn]] void refuse(int input, const std::string& what) const;

  float* allocate(size_t floats) override;
  void parallel(int parts, void (*body)(void*, int), void* closure) override;

 private:
  const Operation& operation_;
  TF_OpKernelContext* context_;
  TF_Status* status_;
  std::vector<TF_Tensor*> inputs_, owned_;
};

// Copies the last timestep of `outputs`, [timesteps, batch, units].
void copyLastStep(const float* outputs, const SequenceSize& size, float* to);

// Registers an operation and its code for the CPU with TensorFlow.
void registerOperation(const Operation& operation,
                       void (*compute)(Call& call, const Attributes& attributes));

}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_OPERATION_H_
