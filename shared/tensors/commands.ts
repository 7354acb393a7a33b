import { malformed } from './batch.ts';
import { check, isCount, isListOf } from './checks.ts';
import {
  bytesPerValue,
  type DataTypeName,
  isDataType,
  isShape,
  isStoredType,
  type StoredTypeName,
  sizeOf,
} from './data.ts';
import { isKernelName, type KernelName, kernelSignature } from './kernels.ts';
import { type ModelCommand, parseModelCommand } from './model-commands.ts';

/**
 * What a client has a worker do with tensors, each an array in a batch's list (PROTOCOL.md,
 * "Tensors"). A handle is an integer that the client chose for a tensor and never chooses again.
 */
export type Command = TensorCommand | ModelCommand;

export type TensorCommand =
  /** Makes a tensor of values. `at` is where its bytes are in this batch, or -1: parts of it follow. */
  | ['upload', handle: number, StoredTypeName, shape: number[], byteLength: number, at: number]
  /** Bytes of an upload from `offset` on, `length` of them at `at` in this batch; in order. */
  | ['part', handle: number, offset: number, at: number, length: number]
  /** Inputs and attributes in the order of the kernel's signature, null where there is none. */
  | [
      'run',
      KernelName,
      inputs: (number | null)[],
      attributes: (AttributeValue | null)[],
      outputs: number[],
    ]
  | ['dispose', handles: number[]]
  /** Ids count from 1. Answered by `data`, or by `failed`. */
  | ['read', id: number, handle: number]
  /** Answered by `described`, or by `failed`, when all before it is done. */
  | ['describe', id: number, handles: number[]];

export type AttributeValue = number | boolean | string | readonly AttributeValue[];

/** An error as it crosses the wire, and which command of the session failed, counted from 0. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly call: number;
}

export type Result =
  /** Bytes of a tensor from `offset` on, in order: `length` of them at `at` in this batch. */
  | [
      'data',
      id: number,
      StoredTypeName,
      shape: number[],
      byteLength: number,
      offset: number,
      at: number,
      length: number,
    ]
  | ['described', id: number, [DataTypeName, shape: number[]][]]
  /** What a command on a model gives, by names. */
  | ['values', id: number, Readonly<Record<string, number>>]
  /** Of a command with this id; 0 where a command failed that nobody waits for. */
  | ['failed', id: number, Failure];

const longestText = 4096;
const deepestAttribute = 3;
/** Their shapes must fit one message. */
const mostDescribed = 4096;

/** @throws TeletrainError `malformed-batch` for anything that is not one of the commands above. */
export function parseCommand(value: unknown): Command {
  if (!Array.isArray(value)) throw malformed('a command is no list');
  switch (value[0]) {
    case 'run':
      return parseRun(value);
    case 'dispose':
      check(value.length === 2 && isListOf(value[1], isCount), 'dispose');
      break;
    case 'upload':
      check(
        value.length === 6 &&
          isCount(value[1]) &&
          isStoredType(value[2]) &&
          isShape(value[3]) &&
          isCount(value[4]) &&
          (value[5] === -1 || isCount(value[5])),
        'upload',
      );
      break;
    case 'part':
      check(value.length === 5 && value.slice(1).every(isCount), 'part');
      break;
    case 'read':
      check(value.length === 3 && value.slice(1).every(isCount), 'read');
      break;
    case 'describe':
      check(
        value.length === 3 &&
          isCount(value[1]) &&
          isListOf(value[2], isCount) &&
          value[2].length <= mostDescribed,
        'describe',
      );
      break;
    default:
      return parseModelCommand(value);
  }
  // Each of its places was looked at above.
  return value as Command;
}

function parseRun(value: readonly unknown[]): Command {
  const [, name, inputs, attributes, outputs] = value;
  if (value.length !== 5 || !isKernelName(name)) throw malformed('it runs an unknown kernel');
  const signature = kernelSignature(name);
  const isList = signature.inputs === 'list';
  check(
    isListOf(inputs, (input) => isCount(input) || (input === null && !isList)) &&
      (isList || inputs.length === signature.inputs.length),
    name,
  );
  check(
    isListOf(attributes, (attribute) => attribute === null || isAttribute(attribute, 0)) &&
      attributes.length === signature.attributes.length,
    name,
  );
  check(
    isListOf(outputs, isCount) && outputs.length > 0 && new Set(outputs).size === outputs.length,
    name,
  );
  return value as unknown as Command;
}

/** Whether values of a type and a shape take so many bytes; what a string takes only it knows. */
const isLengthOf = (dtype: StoredTypeName, shape: number[], bytes: number): boolean =>
  dtype === 'string' || bytes === sizeOf(shape) * (dtype === 'bytes' ? 1 : bytesPerValue[dtype]);

/** @throws TeletrainError `malformed-batch` for anything that is not a result. */
export function parseResult(value: unknown): Result {
  if (!Array.isArray(value)) throw malformed('a result is no list');
  const [kind, id] = value;
  check(isCount(id), 'a result');
  if (kind === 'data') {
    check(
      value.length === 8 &&
        isStoredType(value[2]) &&
        isShape(value[3]) &&
        value.slice(4).every(isCount) &&
        isLengthOf(value[2], value[3], value[4]) &&
        value[5] + value[7] <= value[4],
      'data',
    );
  } else if (kind === 'values') {
    const values: unknown = value[2];
    check(
      typeof values === 'object' &&
        values !== null &&
        Object.values(values).every((number) => typeof number === 'number'),
      'values',
    );
  } else if (kind === 'described') {
    check(
      isListOf(value[2], (one) => Array.isArray(one) && isDataType(one[0]) && isShape(one[1])),
      'described',
    );
  } else if (kind === 'failed') {
    const { code, message, hint, call } = value[2] ?? {};
    check(
      [code, message, hint].every((text) => typeof text === 'string') && Number.isInteger(call),
      'failed',
    );
  } else throw malformed('it has an unknown result');
  return value as Result;
}

function isAttribute(value: unknown, depth: number): value is AttributeValue {
  if (typeof value === 'number' || typeof value === 'boolean') return true;
  if (typeof value === 'string') return value.length <= longestText;
  return depth < deepestAttribute && isListOf(value, (item) => isAttribute(item, depth + 1));
}
