import * as tf from '@tensorflow/tfjs-core';
import type { NativeAttribute, NativeDispatch, NativeTensor } from './native-dispatch.ts';

/** TensorFlow's names of the layers that cuDNN computes. */
export type CudnnMode = 'rnn_tanh' | 'lstm' | 'gru';

/** Gates, as many as there are kernels, recurrent kernels and pairs of biases. */
const gates: Record<CudnnMode, number> = { rnn_tanh: 1, lstm: 4, gru: 3 };

/** What one call computes from. */
export interface CudnnArguments {
  /** Time-major, [timesteps, batch, features]. */
  readonly inputs: tf.Tensor;
  /** h(-1), [batch, units]. */
  readonly output: tf.Tensor;
  /** c(-1), [batch, units]; of `lstm` alone. */
  readonly cell?: tf.Tensor;
  /** As `cudnn-weights.ts` packs them, one vector. */
  readonly parameters: tf.Tensor;
}

/** What one call computed, and what its gradient needs beside its arguments. */
export interface CudnnValues {
  /** Every h(t), [timesteps, batch, units]. */
  readonly outputs: tf.Tensor;
  /** [1, batch, units] */
  readonly lastOutput: tf.Tensor;
  /** [1, batch, units], or of `lstm`'s siblings a scalar without meaning. */
  readonly lastCell: tf.Tensor;
  /** What cuDNN keeps for its gradient: only ever passed on, and without meaning unless `keep`. */
  readonly reserved: readonly [onDevice: tf.Tensor, onHost: tf.Tensor];
}

export interface CudnnGradients {
  /** Of every h(t), [timesteps, batch, units]. */
  readonly outputs: tf.Tensor;
  /** Of the last h, beside what `outputs` says of it, [batch, units]. Default: zeros. */
  readonly lastOutput?: tf.Tensor;
  /** Of the last c, [batch, units]. Default: zeros. */
  readonly lastCell?: tf.Tensor;
}

/**
 * One layer in one direction by TensorFlow's CudnnRNNV3, as Keras 3 calls it: since cuDNN 9 it is
 * the only version that runs, for it alone takes the lengths of the sequences. They are all equal
 * here, so cuDNN's default algorithm computes without padding.
 *
 * @param keep whether `cudnnBackward` will follow
 * @throws what TensorFlow says where it has no such operation for its device, or cuDNN fails
 */
export function cudnnForward(
  native: NativeDispatch,
  mode: CudnnMode,
  given: CudnnArguments,
  keep: boolean,
): CudnnValues {
  expectParameters(native, mode, given);
  const results = withArguments(native, given, (all) =>
    native.runMany(
      'CudnnRNNV3',
      [...attributes(native, mode), native.boolAttribute('is_training', keep)],
      all,
      5,
    ),
  );
  const [outputs, lastOutput, lastCell, onDevice, onHost] = results.map((result, place) =>
    place < 3 ? native.adopt(result) : native.adoptOpaque(result),
  ) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  return { outputs, lastOutput, lastCell, reserved: [onDevice, onHost] };
}

/**
 * The gradients of `cudnnForward`'s arguments from those of its results.
 *
 * @returns of `lstm`'s siblings no gradient of a cell
 */
export function cudnnBackward(
  native: NativeDispatch,
  mode: CudnnMode,
  given: CudnnArguments,
  values: CudnnValues,
  gradients: CudnnGradients,
): Required<Omit<CudnnArguments, 'cell'>> & Pick<CudnnArguments, 'cell'> {
  const { outputs, lastOutput, lastCell, reserved } = values;
  const state = given.output.shape as [number, number];
  const results = withoutTemporaries(() => {
    const ofLast = (gradient: tf.Tensor | undefined) =>
      tf.reshape(gradient ?? tf.zeros(state), [1, ...state]);
    const more = [
      outputs,
      lastOutput,
      lastCell,
      gradients.outputs,
      ofLast(gradients.lastOutput),
      mode === 'lstm' ? ofLast(gradients.lastCell) : tf.scalar(0),
      ...reserved,
    ];
    return withArguments(native, given, (all) =>
      native.runMany(
        'CudnnRNNBackpropV3',
        attributes(native, mode),
        [...all, ...more.map((tensor) => native.borrow(tensor))],
        4,
      ),
    );
  });
  const [inputs, output, cell, parameters] = results.map((result) => native.adopt(result)) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const asState = (layer: tf.Tensor) => {
    const reshaped = tf.reshape(layer, state);
    layer.dispose();
    return reshaped;
  };
  const shared = { inputs, output: asState(output), parameters };
  if (mode === 'lstm') return { ...shared, cell: asState(cell) };
  cell.dispose();
  return shared;
}

function attributes(native: NativeDispatch, mode: CudnnMode): NativeAttribute[] {
  return [
    native.floatType,
    native.stringAttribute('rnn_mode', mode),
    native.stringAttribute('input_mode', 'linear_input'),
    native.stringAttribute('direction', 'unidirectional'),
    native.floatAttribute('dropout', 0),
    native.intAttribute('seed', 0),
    native.intAttribute('seed2', 0),
    native.intAttribute('num_proj', 0),
    native.boolAttribute('time_major', true),
  ];
}

/** Calls with what both operations take first: input, input_h, input_c, params, sequence_lengths. */
function withArguments(
  native: NativeDispatch,
  { inputs, output, cell, parameters }: CudnnArguments,
  call: (all: NativeTensor[]) => NativeTensor[],
): NativeTensor[] {
  const [timesteps, batch] = inputs.shape as [number, number, number];
  const lengths = native.int32(new Array<number>(batch).fill(timesteps));
  try {
    return withoutTemporaries(() => {
      const ofLayer = (state: tf.Tensor) => tf.reshape(state, [1, ...state.shape]);
      const given = [inputs, ofLayer(output), cell ? ofLayer(cell) : tf.scalar(0), parameters];
      return call([...given.map((tensor) => native.borrow(tensor)), lengths]);
    });
  } finally {
    native.release(lengths);
  }
}

/** Disposes the tensors made meanwhile; native tensors stay, for tfjs does not know them. */
function withoutTemporaries(call: () => NativeTensor[]): NativeTensor[] {
  let results: NativeTensor[] = [];
  tf.tidy(() => {
    results = call();
  });
  return results;
}

/** Sizes that cuDNN has answered, by mode, features and units. */
const knownSizes = new WeakMap<NativeDispatch, Map<string, number>>();

/**
 * cuDNN reads as many parameters as it thinks right and TensorFlow does not compare that with how
 * many there are, so each new shape is asked about once.
 *
 * @throws Error where the packed parameters are not as many as cuDNN's
 */
function expectParameters(
  native: NativeDispatch,
  mode: CudnnMode,
  { inputs, output, parameters }: CudnnArguments,
): void {
  const [features, units] = [inputs.shape.at(-1) as number, output.shape.at(-1) as number];
  const packed = gates[mode] * units * (features + units + 2);
  const sizes = knownSizes.get(native) ?? new Map<string, number>();
  knownSizes.set(native, sizes);
  const key = `${mode} ${features} ${units}`;
  const wanted = sizes.get(key) ?? parameterCount(native, mode, features, units);
  sizes.set(key, wanted);
  if (wanted !== packed || parameters.size !== packed) {
    throw new Error(
      `cuDNN lays out ${wanted} parameters for ${features} features and ${units} units, not the ${packed} of Keras.`,
    );
  }
}

function parameterCount(
  native: NativeDispatch,
  mode: CudnnMode,
  features: number,
  units: number,
): number {
  const given = [1, units, features].map((value) => native.int32(value));
  try {
    const all = attributes(native, mode).filter(({ name }) => name !== 'time_major');
    const size = native.run(
      'CudnnRNNParamsSize',
      [...all, native.typeAttribute('S', 'int32')],
      given,
    );
    return tf.tidy(() => native.adopt(size).dataSync()[0] ?? Number.NaN);
  } finally {
    for (const value of given) native.release(value);
  }
}
