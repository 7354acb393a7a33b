import * as tf from '@tensorflow/tfjs-core';

/**
 * Registers, for a backend without them, the two kernels that the recipes' gradients need:
 * `UnsortedSegmentSum` (the gradient of a gather) and `Conv2DBackpropFilter` (a convolution's
 * gradient for its filter). Both are composed of kernels that the backend has.
 */
export function registerComposedKernels(backendName: string): void {
  for (const config of [unsortedSegmentSum, conv2DBackpropFilter]) {
    if (tf.getKernel(config.kernelName, backendName) === undefined) {
      tf.registerKernel({ ...config, backendName });
    }
  }
}

type ComposedKernel = Omit<tf.KernelConfig, 'backendName'>;

/** Rows of `x` summed by their segment: TensorFlow's `ScatterNd` adds where indices repeat. */
const unsortedSegmentSum: ComposedKernel = {
  kernelName: tf.UnsortedSegmentSum,
  kernelFunc: ({ inputs, attrs }) => {
    const { x, segmentIds } = asTensors(inputs);
    // tfjs calls a kernel with its own attributes, which the registry's types do not tell apart.
    const { numSegments } = attrs as unknown as tf.UnsortedSegmentSumAttrs;
    if (x === undefined || segmentIds === undefined) throw new TypeError('inputs are missing');
    return tf.tidy(() => {
      const rowShape = x.shape.slice(segmentIds.rank);
      const rows = tf.reshape(x, [segmentIds.size, ...rowShape]);
      const indices = tf.reshape(tf.cast(segmentIds, 'int32'), [segmentIds.size, 1]);
      return tf.scatterND(indices, rows, [numSegments, ...rowShape]);
    });
  },
};

/**
 * The filter's gradient, one tap at a time: the tap (i, j) saw, for every output pixel, one input
 * pixel; those pixels as a matrix [inputChannels, pixels] times dy as [pixels, outputChannels].
 */
const conv2DBackpropFilter: ComposedKernel = {
  kernelName: tf.Conv2DBackpropFilter,
  kernelFunc: ({ inputs, attrs }) => {
    const { x, dy } = asTensors(inputs);
    if (x === undefined || dy === undefined) throw new TypeError('inputs are missing');
    // As above: the registry's types do not tell attributes apart.
    const { strides, pad, dataFormat, dimRoundingMode, filterShape } =
      attrs as unknown as tf.Conv2DBackpropFilterAttrs;
    if (dataFormat !== 'NHWC') throw new TypeError(`no Conv2DBackpropFilter for ${dataFormat}`);
    // A convolution's input and output have four dimensions; tfjs checked so before it called this.
    const convolution = tf.backend_util.computeConv2DInfo(
      x.shape as [number, number, number, number],
      filterShape,
      strides,
      1,
      pad,
      dimRoundingMode,
    );
    return tf.tidy(() => filterGradient(x as tf.Tensor4D, dy as tf.Tensor4D, convolution));
  },
};

function filterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  convolution: tf.backend_util.Conv2DInfo,
): tf.Tensor4D {
  const { padInfo, filterHeight, filterWidth, strideHeight, strideWidth } = convolution;
  const { batchSize, inChannels, outChannels, outHeight, outWidth } = convolution;
  const pixels = batchSize * outHeight * outWidth;
  const padded = tf.pad(x, [
    [0, 0],
    [padInfo.top, padInfo.bottom],
    [padInfo.left, padInfo.right],
    [0, 0],
  ]);
  const outputs = tf.reshape(dy, [pixels, outChannels]);
  const taps: tf.Tensor2D[] = [];
  for (let row = 0; row < filterHeight; row++) {
    for (let column = 0; column < filterWidth; column++) {
      const seen = tf.stridedSlice(
        padded,
        [0, row, column, 0],
        [
          batchSize,
          row + (outHeight - 1) * strideHeight + 1,
          column + (outWidth - 1) * strideWidth + 1,
          inChannels,
        ],
        [1, strideHeight, strideWidth, 1],
      );
      taps.push(tf.matMul(tf.reshape(seen, [pixels, inChannels]), outputs, true, false));
    }
  }
  return tf.reshape(tf.stack(taps), [filterHeight, filterWidth, inChannels, outChannels]);
}

/** tfjs' operations call kernels with tensors; only one kernel calling another gives bare infos. */
function asTensors(inputs: tf.NamedTensorInfoMap): Partial<Record<string, tf.Tensor>> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, info]) => {
      if (!(info instanceof tf.Tensor)) throw new TypeError(`${name} is not a tensor`);
      return [name, info];
    }),
  );
}
