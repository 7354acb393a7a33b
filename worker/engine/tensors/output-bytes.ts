import type * as tf from '@tensorflow/tfjs-core';
import type { AttributeValue } from '../../../shared/tensors/commands.ts';
import {
  bytesPerValue,
  type DataTypeName,
  isDataType,
  isShape,
  sizeOf,
} from '../../../shared/tensors/data.ts';
import type { KernelName } from '../../../shared/tensors/kernels.ts';
import type { Output } from '../../../shared/tensors/output-shapes/output.ts';
import { outputsOf } from '../../../shared/tensors/output-shapes/outputs.ts';
import { bytesPerString, stringsIn } from './tensor-bytes.ts';
import { requireWindow } from './window.ts';

type Attributes = Readonly<Record<string, AttributeValue>>;
type Inputs = readonly (tf.Tensor | null)[];

/**
 * How much memory a kernel's outputs will take at most, in bytes, worked out before it runs: from
 * the rules by which a client knows the shapes, and from the values where those decide.
 * @throws Error for inputs and attributes with which no kernel could do anything.
 */
export function outputBytes(
  name: KernelName,
  inputs: Inputs,
  attributes: Attributes,
  outputs: number,
): number {
  requireNumbers(attributes);
  requireRank(name, inputs);
  requireWindow(name, inputs, attributes);
  requireCount(name, inputs, attributes, outputs);
  const rule = byValues[name];
  if (rule) return finite(rule(inputs, attributes));
  // Its types know nothing of lists of lists, e.g. of paddings.
  const made = outputsOf(name, inputs, attributes as unknown as tf.NamedAttrMap);
  if (made === undefined) return 0;
  return made.reduce((sum, output) => sum + bytesOfOutput(output, inputs, attributes), 0);
}

function bytesOfOutput({ shape, dtype }: Output, inputs: Inputs, attributes: Attributes): number {
  if (!isShape(shape) || !isDataType(dtype)) {
    throw new Error(`It would give ${String(dtype)} [${String(shape)}], which is no tensor.`);
  }
  return sizeOf(shape) * bytesOfValue(dtype, inputs, attributes);
}

function bytesOfValue(dtype: DataTypeName, inputs: Inputs, attributes: Attributes): number {
  if (dtype !== 'string') return bytesPerValue[dtype];
  const given = typeof attributes.value === 'string' ? attributes.value.length * 3 : 0;
  return bytesPerString + Math.max(given, ...inputs.map(longestText));
}

/** What is a number in every kernel that has it. JavaScript would make one of a list, too. */
const numbers: readonly string[] = [
  ...['alpha', 'batchDims', 'beta', 'bias', 'blockSize', 'clipValueMax', 'clipValueMin', 'depth'],
  ...['depthRadius', 'dim', 'extrapolationValue', 'iouThreshold', 'k', 'leakyreluAlpha'],
  ...['maxOutputSize', 'num', 'numBuckets', 'numSamples', 'numSegments', 'padWidth', 'radians'],
  ...['scoreThreshold', 'seed', 'softNmsSigma', 'start', 'step', 'stop', 'varianceEpsilon'],
];

function requireNumbers(attributes: Attributes): void {
  for (const key of numbers) {
    const value = attributes[key];
    if (value !== undefined && typeof value !== 'number') throw new Error(`${key} is no number.`);
  }
}

/** Kernels that take pictures, [batch, height, width, channels], and look no further. */
const ofPictures: readonly KernelName[] = [
  ...(['CropAndResize', 'DepthToSpace', 'FlipLeftRight', 'LRN', 'LRNGrad'] as const),
  ...(['ResizeBilinear', 'ResizeBilinearGrad', 'ResizeNearestNeighbor'] as const),
  ...(['ResizeNearestNeighborGrad', 'RotateWithOffset', 'Transform'] as const),
];

function requireRank(name: KernelName, [x]: Inputs): void {
  if (!ofPictures.includes(name) || (x?.shape.length === 4 && x.dtype !== 'string')) return;
  throw new Error('It takes pictures, [batch, height, width, channels].');
}

/** Kernels whose rule makes a list as long as the outputs: it must not be asked for more. */
function requireCount(
  name: KernelName,
  [x]: Inputs,
  { axis, numOrSizeSplits }: Attributes,
  outputs: number,
): void {
  let count = outputs;
  if (name === 'Unpack') count = x?.shape.at(Number(axis)) ?? 0;
  if (name === 'SplitV') {
    count = Array.isArray(numOrSizeSplits) ? numOrSizeSplits.length : Number(numOrSizeSplits);
  }
  if (count !== outputs) throw new Error(`It has ${count} outputs, and ${outputs} were named.`);
}

/** Kernels without a rule, since only the values tell; an upper bound is enough. */
const byValues: Partial<Record<KernelName, (inputs: Inputs, attributes: Attributes) => number>> = {
  NonMaxSuppressionV3: ([boxes]) => rows(boxes) * 4,
  NonMaxSuppressionV4: ([boxes], { maxOutputSize, padToMaxOutputSize }) =>
    4 + 4 * (padToMaxOutputSize ? Number(maxOutputSize) : rows(boxes)),
  NonMaxSuppressionV5: ([boxes]) => rows(boxes) * 8,
  MaxPoolWithArgmax: (inputs, attributes) =>
    // Sums and their places, of the same shape; an argument less than a pooling has.
    4 * outputBytes('MaxPool', inputs, attributes, 1),
  Range: (_, { start, stop, step }) =>
    // Downwards with a step that is not, tfjs makes one all the same; TensorFlow refuses it.
    4 * Math.abs(Math.ceil((Number(stop) - Number(start)) / Number(step))),
  UnsortedSegmentSum: ([x, segmentIds], { numSegments }) => {
    // Without TensorFlow each segment is made by itself, though nothing may be in it.
    const row = x?.shape.slice(segmentIds?.rank ?? 0) ?? [];
    return 4 * Number(numSegments) * Math.max(1, sizeOf(row));
  },
  RaggedRange: ([starts, ends, deltas]) => {
    const [from, to, by] = [values(starts), values(ends), values(deltas)];
    let count = 0;
    const length = Math.max(from.length, to.length, by.length);
    const at = (list: ArrayLike<number>, place: number) => list[list.length === 1 ? 0 : place] ?? 0;
    for (let place = 0; place < length; place += 1) {
      const steps = (at(to, place) - at(from, place)) / at(by, place);
      if (steps > 0) count += Math.ceil(steps);
    }
    return 4 * (count + length + 1);
  },
  SparseFillEmptyRows: ([indices, , denseShape]) => {
    const [given = 0, rank = 0] = indices?.shape ?? [];
    const all = given + Math.max(0, values(denseShape)[0] ?? 0);
    return all * (4 * rank + 8 + 4) + 4 * given;
  },
  SparseReshape: ([indices, , newShape]) => (rows(indices) + 1) * (newShape?.size ?? 0) * 4,
  SparseSegmentMean: segments,
  SparseSegmentSum: segments,
  StaticRegexReplace: ([x], { rewrite }) => {
    const { bytes } = texts(x);
    const size = x?.size ?? 0;
    // Each place matches, and each pair of characters of the rewriting puts the match in.
    return size * bytesPerString + (bytes + size) * Math.max(1, String(rewrite).length * 3);
  },
  StringNGrams: ([data, splits], { nGramWidths, separator, leftPad, rightPad }) => {
    const piece = texts(data).longest + 3 * `${separator}${leftPad}${rightPad}`.length;
    const widths = Array.isArray(nGramWidths) ? nGramWidths.map(Number) : [Number.NaN];
    const grams = (width: number) => (data?.size ?? 0) + 2 * width * (splits?.size ?? 0);
    return widths.reduce(
      (sum, width) => sum + grams(width) * (bytesPerString + width * piece),
      4 * (splits?.size ?? 0),
    );
  },
  StringSplit: ([input]) => {
    const { bytes } = texts(input);
    const pieces = bytes + (input?.size ?? 0);
    return pieces * (bytesPerString + 8) + bytes;
  },
  Unique: ([x]) =>
    2 * (x?.size ?? 0) * (x?.dtype === 'string' ? bytesPerString + longestText(x) : 8),
  Einsum: (inputs, attributes) => {
    const [left = '', right = ''] = String(attributes.equation).replace(/\s/g, '').split('->');
    const lengths = new Map<string, number>();
    left.split(',').forEach((term, place) => {
      [...term].forEach((letter, axis) => {
        const length = inputs[place]?.shape[axis] ?? 0;
        lengths.set(letter, Math.max(length, lengths.get(letter) ?? 0));
      });
    });
    return [...right].reduce((size, letter) => size * (lengths.get(letter) ?? 0), 8);
  },
};

function segments([data, , segmentIds]: Inputs): number {
  const [count = 1, ...row] = data?.shape ?? [];
  const largest = values(segmentIds).reduce((most, id) => Math.max(most, id), -1);
  return 4 * Math.max(count, largest + 1) * sizeOf(row);
}

const rows = (tensor: tf.Tensor | null | undefined): number => tensor?.shape[0] ?? 0;

function values(tensor: tf.Tensor | null | undefined): readonly number[] {
  if (!tensor || tensor.dtype === 'string' || tensor.dtype === 'complex64') {
    throw new Error('It takes numbers.');
  }
  return Array.from(tensor.dataSync() as Float32Array);
}

function texts(tensor: tf.Tensor | null | undefined) {
  if (tensor?.dtype !== 'string') throw new Error('It takes text.');
  return stringsIn(tensor);
}

const longestText = (tensor: tf.Tensor | null): number =>
  tensor?.dtype === 'string' ? stringsIn(tensor).longest : 0;

function finite(bytes: number): number {
  if (Number.isFinite(bytes) && bytes >= 0) return bytes;
  throw new Error('Its outputs would have no size.');
}
