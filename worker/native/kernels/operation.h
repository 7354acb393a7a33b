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
  // "name: count * type", where `count` is an attribute, is a list; a call's inputs are numbered with
  // every tensor of a list counted.
  std::vector<const char*> inputs;
  // float32, or "name: type"
  std::vector<const char*> outputs;
  // "name: bool" or "name: int", each; "name: int >= 0" where that counts a list's tensors
  std::vector<const char*> attributes;
};

// Values of an operation's attributes, in their order.
using Attributes = std::vector<int64_t>;

// Frees what TensorFlow made.
struct Deleter {
  void operator()(TF_Status* status) const { TF_DeleteStatus(status); }
  void operator()(TF_Tensor* tensor) const { TF_DeleteTensor(tensor); }
};

// Memory of a tensor.
struct Bytes {
  uint8_t* at;
  size_t count;
};

// One call of an operation.
class Call final : public Runtime {
 public:
  Call(const Operation& operation, TF_OpKernelContext* context);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // How many tensors there are, those of lists counted.
  int inputCount() const { return static_cast<int>(inputs_.size()); }
  // An input's shape. Throws ArgumentError unless it is float32 of this rank with no dimension zero.
  Shape shape(int input, int rank) const;
  // The same of any rank.
  Shape shape(int input) const;
  // An input's values. Throws ArgumentError unless it is float32 of this shape.
  const float* input(int input, const Shape& shape) const;
  // The same, or null where the input is empty, of the shape [0].
  const float* optionalInput(int input, const Shape& shape) const;
  // An input's values, to be changed. TensorFlow takes tensors for constants: whoever calls the operation
  // makes sure that nothing else shares this one's memory.
  float* inPlace(int input, const Shape& shape) const;
  // As shape, input and inPlace, for int32.
  Shape integersShape(int input, int rank) const;
  const int32_t* integers(int input, const Shape& shape) const;
  int32_t* integersInPlace(int input, const Shape& shape) const;
  bool isIntegers(int input) const;
  // An input's memory, of any shape, to be changed as by inPlace. Throws ArgumentError unless it is
  // float32, int32, bool or uint8: of other types the bytes are not all that there is.
  Bytes bytes(int input) const;
  // The new output's values; a dimension may be zero.
  float* output(int output, const Shape& shape);
  int32_t* integersOutput(int output, const Shape& shape);
  // Throws ArgumentError: "Operation: argument <name> <what>".
  [[noreturn]] void refuse(int input, const std::string& what) const;

  float* allocate(size_t floats) override;
  void parallel(int parts, void (*body)(void*, int), void* closure) override;

 private:
  std::string name(int input) const;
  Shape shapeOf(TF_DataType type, int input, int rank) const;
  void* values(TF_DataType type, int input, const Shape& shape) const;
  void* newOutput(TF_DataType type, int output, const Shape& shape);
  // Holds a tensor that TensorFlow made, until the call ends. Throws std::bad_alloc where there is none.
  void* own(TF_Tensor* tensor);

  const Operation& operation_;
  TF_OpKernelContext* context_;
  std::unique_ptr<TF_Status, Deleter> status_;
  std::vector<TF_Tensor*> inputs_;
  std::vector<std::unique_ptr<TF_Tensor, Deleter>> owned_;
};

// Copies the last timestep of `outputs`, [timesteps, batch, units].
void copyLastStep(const float* outputs, const SequenceSize& size, float* to);

// Registers an operation and its code for the CPU with TensorFlow.
void registerOperation(const Operation& operation,
                       void (*compute)(Call& call, const Attributes& attributes));

}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_OPERATION_H_
