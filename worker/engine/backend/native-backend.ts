import { createRequire } from 'node:module';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import type { NodeJSKernelBackend } from '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js';
import type { TFEOpAttr, TFJSBinding } from '@tensorflow/tfjs-node-gpu/dist/tfjs_binding.js';
import {
  dataTypeNumbers,
  type ExecuteOperation,
  type Int64Input,
  type OperationAttribute,
  type OperationInput,
} from './operation.ts';

const backendName = 'tensorflow';
const require = createRequire(import.meta.url);

/** TensorFlow inside this process, registered with tfjs as the backend `tensorflow`. */
export interface NativeBackend {
  readonly name: typeof backendName;
  readonly tensorflowVersion: string;
  readonly usesGpu: boolean;
  readonly executeOp: ExecuteOperation;
  /** TensorFlow handles now alive, as TensorFlow itself counts them. */
  liveTensors(): number;
}

/**
 * Loads the compiled addon from where it lies and registers tfjs-node's kernels over it. The
 * package's own entry is left aside: it looks for the addon inside node_modules.
 */
export function loadNativeBackend(addon: string): NativeBackend {
  supplyUtilFunctions();
  // TensorFlow reads it when it is loaded; the engine's process is started with it already.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  const binding: TFJSBinding = require(addon);
  require('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js');
  const module: {
    NodeJSKernelBackend: typeof NodeJSKernelBackend;
  } = require('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js');
  const backend = new module.NodeJSKernelBackend(binding, '@tensorflow/tfjs-node-gpu');
  const executeOp = mendInt64(backend, binding);
  tf.registerBackend(backendName, () => backend, 3);
  return {
    name: backendName,
    tensorflowVersion: binding.TF_Version,
    usesGpu: backend.isUsingGpuDevice,
    executeOp,
    liveTensors: () => binding.getNumOfTensors(),
  };
}

/** tfjs-node 4.22 calls two functions of which Node 23 removed one and warns of the other. */
function supplyUtilFunctions(): void {
  const functions: { isNullOrUndefined?: unknown; isArray?: unknown } = util;
  functions.isNullOrUndefined = (value: unknown) => value === null || value === undefined;
  functions.isArray = Array.isArray;
}

/** The parts of the backend that its types keep private. */
interface BackendInternals {
  createOutputTensor(metadata: { id: number; shape: number[]; dtype: number }): tf.Tensor;
  getInputTensorIds(inputs: readonly unknown[]): number[];
  executeSingleOutput(name: string, attributes: TFEOpAttr[], inputs: unknown[]): tf.Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: TFEOpAttr[],
    inputs: unknown[],
    outputs: number,
  ): tf.Tensor[];
}

/**
 * Mends what the published backend does with 64-bit integers: a scalar input leaves its handle
 * behind at every call, an output prints a warning and is then taken for int32 though it is not,
 * and an output of a type unknown to tfjs throws and leaves its handle behind.
 */
function mendInt64(backend: NodeJSKernelBackend, binding: TFJSBinding): ExecuteOperation {
  // The cast shows methods that exist but are declared private in the package's types.
  const internals = backend as unknown as BackendInternals;
  const createKnownOutput = internals.createOutputTensor.bind(backend);

  internals.createOutputTensor = (metadata) => {
    if (metadata.dtype === binding.TF_INT64) return createKnownOutput(asInt32(binding, metadata));
    try {
      return createKnownOutput(metadata);
    } catch (error) {
      binding.deleteTensor(metadata.id);
      throw error;
    }
  };
  internals.executeMultipleOutputs = (name, attributes, inputs, outputs) => {
    const ids = internals.getInputTensorIds(inputs);
    try {
      return binding
        .executeOp(name, attributes, ids, outputs)
        .map((metadata) => internals.createOutputTensor(metadata));
    } finally {
      inputs.forEach((input, index) => {
        const id = ids[index];
        if (id !== undefined && isInt64Scalar(input)) binding.deleteTensor(id);
      });
    }
  };
  internals.executeSingleOutput = (name, attributes, inputs) => {
    const [output] = internals.executeMultipleOutputs(name, attributes, inputs, 1);
    if (output === undefined) throw new TypeError(`${name} gave no output`);
    return output;
  };

  const {
    Int64Scalar,
  }: {
    Int64Scalar: new (value: number) => object;
  } = require('@tensorflow/tfjs-node-gpu/dist/int64_tensors.js');
  const isInt64Scalar = (input: unknown) => input instanceof Int64Scalar;
  const toInput = (input: OperationInput) =>
    isInt64Input(input) ? new Int64Scalar(input.int64) : input;

  return (name, attributes, inputs, outputs) =>
    internals.executeMultipleOutputs(
      name,
      Object.entries(attributes).map(([key, attribute]) =>
        toBindingAttribute(binding, key, attribute),
      ),
      inputs.map(toInput),
      outputs,
    );
}

function isInt64Input(input: OperationInput): input is Int64Input {
  return 'int64' in input;
}

/** Casts an int64 output to int32 and frees the original. */
function asInt32(
  binding: TFJSBinding,
  metadata: { id: number; shape: number[]; dtype: number },
): { id: number; shape: number[]; dtype: number } {
  try {
    const [cast] = binding.executeOp(
      'Cast',
      [
        { name: 'SrcT', type: binding.TF_ATTR_TYPE, value: binding.TF_INT64 },
        { name: 'DstT', type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 },
        { name: 'Truncate', type: binding.TF_ATTR_BOOL, value: false },
      ],
      [metadata.id],
      1,
    );
    if (cast === undefined) throw new TypeError('Cast gave no output');
    return cast;
  } finally {
    binding.deleteTensor(metadata.id);
  }
}

function toBindingAttribute(
  binding: TFJSBinding,
  name: string,
  attribute: OperationAttribute,
): TFEOpAttr {
  if ('type' in attribute) {
    return { name, type: binding.TF_ATTR_TYPE, value: dataTypeNumbers[attribute.type] };
  }
  if ('int' in attribute) return { name, type: binding.TF_ATTR_INT, value: attribute.int };
  if ('float' in attribute) return { name, type: binding.TF_ATTR_FLOAT, value: attribute.float };
  if ('bool' in attribute) return { name, type: binding.TF_ATTR_BOOL, value: attribute.bool };
  if ('string' in attribute) return { name, type: binding.TF_ATTR_STRING, value: attribute.string };
  return { name, type: binding.TF_ATTR_SHAPE, value: attribute.shape };
}
