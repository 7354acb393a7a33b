import * as tf from '@tensorflow/tfjs-core';
import { like, type OutputRule, type OutputRules, product, required, rulesFor } from './output.ts';

const paddedShape: OutputRule = ([x], { paddings }) => ({
  shape: required(x).shape.map((length, axis) => {
    const [before, after] = paddings[axis];
    return before + length + after;
  }),
  dtype: required(x).dtype,
});

const resized: OutputRule = ([images], { size: [height, width] }) => {
  const [batch = 0, , , channels = 0] = required(images).shape;
  return { shape: [batch, height, width, channels], dtype: 'float32' };
};

/** Kernels that take values from places and put them elsewhere, or make them of nothing. */
export const arrangements: OutputRules = {
  Reshape: ([x], { shape }) => ({
    shape: tf.util.inferFromImplicitShape(shape, product(required(x).shape)),
    dtype: required(x).dtype,
  }),
  ExpandDims: ([input], { dim }) => {
    const { shape, dtype } = required(input);
    const place = dim < 0 ? shape.length + 1 + dim : dim;
    if (place < 0) throw new Error(`[${shape}] has no place ${dim} for another dimension.`);
    return { shape: [...shape.slice(0, place), 1, ...shape.slice(place)], dtype };
  },
  Transpose: ([x], { perm }) => ({
    shape: perm.map((axis: number) => required(x).shape[axis]),
    dtype: required(x).dtype,
  }),
  ...rulesFor(['FlipLeftRight', 'RotateWithOffset', 'MatrixBandPart'], like(0)),
  Reverse: (inputs, { dims }) => {
    const { shape, dtype } = required(inputs[0]);
    tf.util.parseAxisParam(dims, shape);
    return { shape, dtype };
  },
  TensorScatterUpdate: like(0),
  Tile: ([x], { reps }) => ({
    shape: required(x).shape.map((length, axis) => length * reps[axis]),
    dtype: required(x).dtype,
  }),
  BroadcastTo: ([x], { shape }) => ({ shape, dtype: required(x).dtype }),
  BroadcastArgs: ([s0, s1]) => ({
    shape: [Math.max(required(s0).shape[0] ?? 0, required(s1).shape[0] ?? 0)],
    dtype: 'int32',
  }),
  Slice: ([x], { begin, size }) => {
    // It looks at shapes only.
    const [from = [], shape = []] = tf.slice_util.parseSliceParams(required(x), begin, size);
    tf.slice_util.assertParamsValid(required(x), from, shape);
    return { shape, dtype: required(x).dtype };
  },
  StridedSlice: ([x], attributes: tf.StridedSliceAttrs) => {
    const { begin, end, strides, beginMask, endMask } = attributes;
    const { ellipsisMask, newAxisMask, shrinkAxisMask } = attributes;
    const { finalShape } = tf.slice_util.sliceInfo(
      required(x).shape,
      ...([begin, end, strides, beginMask, endMask] as const),
      ...([ellipsisMask, newAxisMask, shrinkAxisMask] as const),
    );
    return { shape: finalShape, dtype: required(x).dtype };
  },
  Concat: (inputs, { axis }) => {
    const first = required(inputs[0]);
    const place = axis < 0 ? first.shape.length + axis : axis;
    const shapes = inputs.map((input) => input.shape);
    tf.backend_util.assertParamsConsistent(shapes, place);
    const shape = tf.backend_util.computeOutShape(shapes, place);
    return { shape, dtype: first.dtype };
  },
  Pack: (inputs, { axis }) => {
    const { shape, dtype } = required(inputs[0]);
    for (const other of inputs) {
      if (other.dtype === dtype && tf.util.arraysEqual(other.shape, shape)) continue;
      throw new Error(
        `${dtype} [${shape}] and ${other.dtype} [${other.shape}] cannot be stacked: they differ.`,
      );
    }
    const place = axis < 0 ? shape.length + 1 + axis : axis;
    return { shape: [...shape.slice(0, place), inputs.length, ...shape.slice(place)], dtype };
  },
  Unpack: ([value], { axis }) => {
    const { shape, dtype } = required(value);
    const place = axis < 0 ? shape.length + axis : axis;
    const part = { shape: [...shape.slice(0, place), ...shape.slice(place + 1)], dtype };
    return Array.from({ length: shape[place] ?? 0 }, () => part);
  },
  SplitV: ([x], { numOrSizeSplits, axis }) => {
    const { shape, dtype } = required(x);
    const [place = 0] = tf.util.parseAxisParam(axis, shape);
    // Of the tensor it looks at the shape only.
    const sizes = tf.backend_util.prepareSplitSize(
      required(x) as tf.Tensor,
      numOrSizeSplits,
      place,
    );
    return sizes.map((size) => ({ shape: shape.toSpliced(place, 1, size), dtype }));
  },
  GatherV2: ([first, second], { axis, batchDims }) => {
    const x = required(first);
    const [place = 0] = tf.util.parseAxisParam(axis, x.shape);
    // It throws where they do not go together; of the tensors it looks at the shapes only.
    tf.backend_util.segment_util.collectGatherOpShapeInfo(
      x as tf.Tensor,
      required(second) as tf.Tensor,
      place,
      batchDims,
    );
    const indices = required(second).shape.slice(batchDims);
    const shape = [...x.shape.slice(0, place), ...indices, ...x.shape.slice(place + 1)];
    return { shape, dtype: x.dtype };
  },
  GatherNd: ([first, second]) => {
    const params = required(first);
    const indices = required(second).shape;
    const depth = indices.at(-1);
    if (depth === undefined || params.shape.length === 0 || depth > params.shape.length) {
      throw new Error(`Indices of [${indices}] do not lead into a tensor of [${params.shape}].`);
    }
    return {
      shape: [...indices.slice(0, -1), ...params.shape.slice(depth)],
      dtype: params.dtype,
    };
  },
  ScatterNd: ([, updates], { shape }) => ({ shape, dtype: required(updates).dtype }),
  SparseToDense: ([, values], { outputShape }) => ({
    shape: outputShape,
    dtype: required(values).dtype,
  }),
  ...rulesFor(['PadV2', 'MirrorPad'], paddedShape),
  OneHot: ([indices], { depth, dtype }) => ({ shape: [...required(indices).shape, depth], dtype }),
  Diag: ([x]) => {
    const { shape, dtype } = required(x);
    return { shape: [...shape, ...shape], dtype };
  },
  Fill: (_, { shape, value, dtype }) => ({ shape, dtype: dtype ?? tf.util.inferDtype(value) }),
  LinSpace: (_, { num }) => ({ shape: [num], dtype: 'float32' }),
  Range: (_, { start, stop, step, dtype }: tf.RangeAttrs) => ({
    // A range downwards with the step left at 1 goes by -1.
    shape: [Math.max(0, Math.ceil((stop - start) / (stop < start && step === 1 ? -1 : step)))],
    dtype,
  }),
  Multinomial: ([logits], { numSamples }) => ({
    shape: [required(logits).shape[0] ?? 0, numSamples],
    dtype: 'int32',
  }),
  ...rulesFor(['SearchSorted', 'LowerBound', 'UpperBound'], like(1, 'int32')),
  ...rulesFor(['ResizeBilinear', 'ResizeNearestNeighbor'], resized),
  ...rulesFor(['ResizeBilinearGrad', 'ResizeNearestNeighborGrad'], like(0)),
  CropAndResize: ([image, boxes], { cropSize: [height, width] }) => ({
    shape: [required(boxes).shape[0] ?? 0, height, width, required(image).shape[3] ?? 0],
    dtype: 'float32',
  }),
  Transform: ([image], { outputShape }) => {
    const [batch = 0, height = 0, width = 0, channels = 0] = required(image).shape;
    return { shape: [batch, ...(outputShape ?? [height, width]), channels], dtype: 'float32' };
  },
  DepthToSpace: ([x], { blockSize, dataFormat }) => {
    const { shape, dtype } = required(x);
    const [batch = 0, ...rest] = shape;
    const [height = 0, width = 0] = dataFormat === 'NHWC' ? rest : rest.slice(1);
    const channels = (dataFormat === 'NHWC' ? rest[2] : rest[0]) ?? 0;
    const depth = channels / (blockSize * blockSize);
    const area = [height * blockSize, width * blockSize];
    return {
      shape: dataFormat === 'NHWC' ? [batch, ...area, depth] : [batch, depth, ...area],
      dtype,
    };
  },
  BatchToSpaceND: ([x], { blockShape, crops }) => {
    const { shape, dtype } = required(x);
    const [batch = 0, ...rest] = shape;
    const spatial = rest.map((length, axis) => {
      const [before = 0, after = 0] = crops[axis] ?? [];
      return length * (blockShape[axis] ?? 1) - before - after;
    });
    return { shape: [batch / product(blockShape), ...spatial], dtype };
  },
  SpaceToBatchND: ([x], { blockShape, paddings }) => {
    const { shape, dtype } = required(x);
    const [batch = 0, ...rest] = shape;
    const spatial = rest.map((length, axis) => {
      const [before = 0, after = 0] = paddings[axis] ?? [];
      return (before + length + after) / (blockShape[axis] ?? 1);
    });
    return { shape: [batch * product(blockShape), ...spatial], dtype };
  },
};
