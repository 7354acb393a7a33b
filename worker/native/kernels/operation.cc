#include "operation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <climits>
#include <new>
#include <utility>

#include "thread-pool.h"

namespace teletrain {
namespace {

std::string text(const Shape& shape) {
  std::string all = "[";
  for (size_t i = 0; i < shape.size(); i++) {
    all += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return all + "]";
}

// What was registered; TensorFlow keeps pointers to it until the process ends.
struct Registered {
  Operation operation;
  void (*compute)(Call&, const Attributes&);
};

struct Kernel {
  Attributes attributes;
};

// TensorFlow's C API gives a kernel no pointer of ours, so each registered operation has functions of
// its own, instantiated by its number.
constexpr int mostOperations = 32;
Registered* registered[mostOperations];
int registeredCount = 0;

template <int number>
void* create(TF_OpKernelConstruction* construction) {
  auto kernel = std::make_unique<Kernel>();
  TF_Status* status = TF_NewStatus();
  for (const std::string attribute : registered[number]->operation.attributes) {
    const std::string name = attribute.substr(0, attribute.find(':'));
    int64_t value = 0;
    if (attribute.find("bool") == std::string::npos) {
      TF_OpKernelConstruction_GetAttrInt64(construction, name.c_str(), &value, status);
    } else {
      TF_Bool given = 0;
      TF_OpKernelConstruction_GetAttrBool(construction, name.c_str(), &given, status);
      value = given;
    }
    if (TF_GetCode(status) != TF_OK) {
      TF_OpKernelConstruction_Failure(construction, status);
      break;
    }
    kernel->attributes.push_back(value);
  }
  TF_DeleteStatus(status);
  return kernel.release();
}

void fail(TF_OpKernelContext* context, TF_Code code, const std::string& message) {
  TF_Status* status = TF_NewStatus();
  TF_SetStatus(status, code, message.c_str());
  TF_OpKernelContext_Failure(context, status);
  TF_DeleteStatus(status);
}

template <int number>
void compute(void* kernel, TF_OpKernelContext* context) {
  const Registered& here = *registered[number];
  try {
    Call call(here.operation, context);
    here.compute(call, static_cast<Kernel*>(kernel)->attributes);
  } catch (const ArgumentError& error) {
    fail(context, TF_INVALID_ARGUMENT, error.message);
  } catch (const std::bad_alloc&) {
    fail(context, TF_RESOURCE_EXHAUSTED,
         std::string(here.operation.name) + ": not enough memory");
  }
}

void destroy(void* kernel) { delete static_cast<Kernel*>(kernel); }

template <int number>
TF_KernelBuilder* builderOf(int wanted, const char* name) {
  if constexpr (number < mostOperations) {
    if (wanted == number) {
      return TF_NewKernelBuilder(name, "CPU", create<number>, compute<number>, destroy);
    }
    return builderOf<number + 1>(wanted, name);
  } else {
    return nullptr;
  }
}

std::string typeAttribute(const char* argument) { return std::string("T_") + argument; }

}  // namespace

Call::Call(const Operation& operation, TF_OpKernelContext* context)
    : operation_(operation), context_(context), status_(TF_NewStatus()) {
  const int count = TF_NumInputs(context);
  inputs_.reserve(count);
  owned_.reserve(count + operation.outputs.size());
  for (int i = 0; i < count; i++) {
    TF_Tensor* tensor = nullptr;
    TF_GetInput(context, i, &tensor, status_.get());
    if (TF_GetCode(status_.get()) != TF_OK) refuse(i, TF_Message(status_.get()));
    owned_.emplace_back(tensor);
    inputs_.push_back(tensor);
  }
}

void* Call::own(TF_Tensor* tensor) {
  if (tensor == nullptr) throw std::bad_alloc();
  std::unique_ptr<TF_Tensor, Deleter> held(tensor);
  if (TF_GetCode(status_.get()) != TF_OK) throw std::bad_alloc();
  owned_.push_back(std::move(held));
  return TF_TensorData(tensor);
}

std::string Call::name(int input) const {
  int place = input;
  for (const std::string given : operation_.inputs) {
    const size_t colon = given.find(':');
    if (colon == std::string::npos) {
      if (place-- == 0) return given;
      continue;
    }
    const std::string list = given.substr(0, colon);
    TF_InputRange_Args range{};
    range.struct_size = TF_InputRange_Args_STRUCT_SIZE;
    range.status = status_.get();
    TF_InputRange(context_, list.c_str(), &range);
    const int length = range.stop - range.start;
    if (place < length) return list + "[" + std::to_string(place) + "]";
    place -= length;
  }
  return std::to_string(input);
}

void Call::refuse(int input, const std::string& what) const {
  throw ArgumentError{std::string(operation_.name) + ": argument " + name(input) + " " + what};
}

Shape Call::shapeOf(TF_DataType type, int input, int rank) const {
  const TF_Tensor* tensor = inputs_[input];
  if (TF_TensorType(tensor) != type) {
    refuse(input, type == TF_FLOAT ? "is not float32" : "is not int32");
  }
  Shape found;
  found.reserve(TF_NumDims(tensor));
  for (int i = 0; i < TF_NumDims(tensor); i++) found.push_back(TF_Dim(tensor, i));
  if (static_cast<int>(found.size()) != rank) {
    refuse(input, "has the shape " + text(found) + ", not " + std::to_string(rank) +
                      " dimensions");
  }
  for (const int64_t dimension : found) {
    if (dimension == 0) refuse(input, "is empty, of the shape " + text(found));
    if (dimension > INT_MAX / 64) refuse(input, "is too large, of the shape " + text(found));
  }
  return found;
}

void* Call::values(TF_DataType type, int input, const Shape& wanted) const {
  const Shape found = shapeOf(type, input, static_cast<int>(wanted.size()));
  if (found != wanted) {
    refuse(input, "has the shape " + text(found) + ", not " + text(wanted));
  }
  return TF_TensorData(inputs_[input]);
}

Shape Call::shape(int input, int rank) const { return shapeOf(TF_FLOAT, input, rank); }

Shape Call::shape(int input) const { return shape(input, TF_NumDims(inputs_[input])); }

Shape Call::integersShape(int input, int rank) const { return shapeOf(TF_INT32, input, rank); }

bool Call::isIntegers(int input) const { return TF_TensorType(inputs_[input]) == TF_INT32; }

const float* Call::input(int input, const Shape& wanted) const { return inPlace(input, wanted); }

float* Call::inPlace(int input, const Shape& wanted) const {
  return static_cast<float*>(values(TF_FLOAT, input, wanted));
}

const int32_t* Call::integers(int input, const Shape& wanted) const {
  return integersInPlace(input, wanted);
}

int32_t* Call::integersInPlace(int input, const Shape& wanted) const {
  return static_cast<int32_t*>(values(TF_INT32, input, wanted));
}

Bytes Call::bytes(int input) const {
  const TF_Tensor* tensor = inputs_[input];
  const TF_DataType type = TF_TensorType(tensor);
  if (type != TF_FLOAT && type != TF_INT32 && type != TF_BOOL && type != TF_UINT8) {
    refuse(input, "is not float32, int32, bool or uint8");
  }
  return {static_cast<uint8_t*>(TF_TensorData(tensor)), TF_TensorByteSize(tensor)};
}

void* Call::newOutput(TF_DataType type, int output, const Shape& shape) {
  size_t bytes = TF_DataTypeSize(type);
  for (const int64_t dimension : shape) bytes *= static_cast<size_t>(dimension);
  TF_Tensor* tensor = TF_AllocateOutput(context_, output, type, shape.data(),
                                        static_cast<int>(shape.size()), bytes, status_.get());
  return own(tensor);
}

const float* Call::optionalInput(int input, const Shape& wanted) const {
  const TF_Tensor* tensor = inputs_[input];
  const bool isAbsent = TF_NumDims(tensor) == 1 && TF_Dim(tensor, 0) == 0;
  return isAbsent ? nullptr : this->input(input, wanted);
}

float* Call::output(int output, const Shape& shape) {
  return static_cast<float*>(newOutput(TF_FLOAT, output, shape));
}

int32_t* Call::integersOutput(int output, const Shape& shape) {
  return static_cast<int32_t*>(newOutput(TF_INT32, output, shape));
}

float* Call::allocate(size_t floats) {
  const int64_t dimension = static_cast<int64_t>(floats);
  TF_AllocatorAttributes attributes;
  attributes.struct_size = TF_ALLOCATOR_ATTRIBUTES_STRUCT_SIZE;
  attributes.on_host = 1;
  TF_Tensor* tensor = TF_AllocateTemp(context_, TF_FLOAT, &dimension, 1, &attributes,
                                      status_.get());
  return static_cast<float*>(own(tensor));
}

void Call::parallel(int parts, void (*body)(void*, int), void* closure) {
  runInParallel(parts, body, closure);
}

void copyLastStep(const float* outputs, const SequenceSize& size, float* to) {
  const size_t floats = static_cast<size_t>(size.batch) * size.units;
  memcpy(to, outputs + (size.timesteps - 1) * floats, sizeof(float) * floats);
}

void registerOperation(const Operation& operation,
                       void (*compute)(Call& call, const Attributes& attributes)) {
  if (registeredCount == mostOperations) {
    fprintf(stderr, "teletrain: %s is one operation too many: raise mostOperations\n",
            operation.name);
    abort();
  }
  TF_OpDefinitionBuilder* definition = TF_NewOpDefinitionBuilder(operation.name);
  for (const char* name : operation.inputs) {
    if (strchr(name, ':') != nullptr) {
      TF_OpDefinitionBuilderAddInput(definition, name);
      continue;
    }
    const std::string type = typeAttribute(name);
    // Any type, so that the call and not TensorFlow's dispatch says which argument is wrong.
    TF_OpDefinitionBuilderAddAttr(definition, (type + ": type").c_str());
    TF_OpDefinitionBuilderAddInput(definition, (std::string(name) + ": " + type).c_str());
  }
  for (const char* name : operation.outputs) {
    const bool isTyped = strchr(name, ':') != nullptr;
    TF_OpDefinitionBuilderAddOutput(
        definition, isTyped ? name : (std::string(name) + ": float").c_str());
  }
  for (const char* attribute : operation.attributes) {
    TF_OpDefinitionBuilderAddAttr(definition, attribute);
  }
  TF_OpDefinitionBuilderSetShapeInferenceFunction(
      definition, [](TF_ShapeInferenceContext* context, TF_Status* status) {
        TF_ShapeInferenceContextSetUnknownShape(context, status);
      });
  TF_Status* status = TF_NewStatus();
  TF_RegisterOpDefinition(definition, status);
  const int number = registeredCount++;
  if (TF_GetCode(status) == TF_OK) {
    registered[number] = new Registered{operation, compute};
    TF_KernelBuilder* builder = builderOf<0>(number, operation.name);
    TF_RegisterKernelBuilder(operation.name, builder, status);
  }
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "teletrain: %s: %s\n", operation.name, TF_Message(status));
  }
  TF_DeleteStatus(status);
}

}  // namespace teletrain
