import * as tf from '@tensorflow/tfjs-core';
import { refuseTrainingWithConstraints } from './refused-options.ts';
import type { CallArguments, RecurrentCell, RNN } from './stock.ts';

/** The last h and, of an LSTM, its cell; each [batch, units]. */
export type States = readonly tf.Tensor2D[];

/**
 * A layer's recurrence by operations over the whole sequence. Inputs are time-major,
 * [timesteps, batch, features]; an absent initial state is zero.
 */
export interface SequenceOperation {
  /** Every h(t), [timesteps, batch, units]. */
  outputs(inputs: tf.Tensor3D, initialState: States | undefined): tf.Tensor3D;
  lastState(inputs: tf.Tensor3D, initialState: States | undefined): States;
  withState(
    inputs: tf.Tensor3D,
    initialState: States | undefined,
  ): { readonly outputs: tf.Tensor3D; readonly lastState: States };
}

export type RecurrentLayer = RNN & {
  /** Masked timesteps' outputs are zero; else each is the one before it. */
  readonly zeroOutputForMask: boolean;
};

interface LayerCall {
  readonly inputs: tf.Tensor | tf.Tensor[];
  readonly kwargs: CallArguments;
  /** The layer's operation with its weights as they are now. */
  operation(): SequenceOperation;
  /** The same by tfjs' own loop over timesteps, which has every option. */
  stock(): tf.Tensor | tf.Tensor[];
}

/**
 * A recurrent layer's `call`: by its operation where that computes what the layer's options and the
 * call's say, else by tfjs' loop over timesteps: with a mask, with recurrent dropout in training and
 * with other activations than tanh and sigmoid.
 *
 * @throws TeletrainError `layer-option-unsupported` in training with a constraint.
 */
export function callRecurrentLayer(
  layer: RecurrentLayer,
  call: LayerCall,
): tf.Tensor | tf.Tensor[] {
  const cell = layer.cell as RecurrentCell;
  if (call.kwargs.training === true) {
    refuseTrainingWithConstraints(layer.getClassName(), layer.name, cell);
  }
  return tf.tidy(() => {
    const { mask } = call.kwargs;
    if (mask !== undefined && mask !== null) {
      return maskOutputs(layer, call.stock(), mask);
    }
    return isComputedByOperation(layer, cell, call) ? byOperation(layer, cell, call) : call.stock();
  });
}

function isComputedByOperation(
  layer: RNN,
  cell: RecurrentCell,
  { inputs, kwargs }: LayerCall,
): boolean {
  const gates = 'recurrentActivation' in cell ? cell.recurrentActivation.getClassName() : 'sigmoid';
  const given: readonly tf.Tensor[] | null | undefined = kwargs.initialState;
  return (
    cell.activation.getClassName() === 'tanh' &&
    gates === 'sigmoid' &&
    !(kwargs.training === true && (isRate(cell.recurrentDropout) || hasOwnDropout(cell))) &&
    (Array.isArray(inputs) ? inputs : [inputs]).every(({ dtype }) => dtype === 'float32') &&
    (given?.length ?? layer.states.length) === layer.states.length
  );
}

function byOperation(layer: RNN, cell: RecurrentCell, { inputs, kwargs, operation }: LayerCall) {
  const batchMajor = (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor3D;
  let sequence: tf.Tensor3D = tf.transpose(batchMajor, [1, 0, 2]);
  if (layer.goBackwards) sequence = tf.reverse(sequence, 0);
  if (kwargs.training === true && isRate(cell.dropout)) {
    // Keras drops the same features at every timestep.
    sequence = tf.dropout(sequence, cell.dropout, [1, ...sequence.shape.slice(1)]) as tf.Tensor3D;
  }
  const given: States | null | undefined = kwargs.initialState;
  const initialState = given ?? (layer.stateful ? (layer.states as tf.Tensor2D[]) : undefined);
  const { output, lastState } = run(layer, operation(), sequence, initialState);
  if (layer.stateful) layer.resetStates([...lastState], kwargs.training === true);
  return layer.returnState ? [output, ...lastState] : output;
}

/** Asks the operation for no more than the layer gives. */
function run(
  layer: RNN,
  operation: SequenceOperation,
  inputs: tf.Tensor3D,
  initialState: States | undefined,
): { output: tf.Tensor; lastState: States } {
  if (!layer.returnSequences) {
    const lastState = operation.lastState(inputs, initialState);
    return { output: lastState[0] as tf.Tensor2D, lastState };
  }
  const batchMajor = (outputs: tf.Tensor3D) => tf.transpose(outputs, [1, 0, 2]);
  if (!layer.returnState && !layer.stateful) {
    return { output: batchMajor(operation.outputs(inputs, initialState)), lastState: [] };
  }
  const { outputs, lastState } = operation.withState(inputs, initialState);
  return { output: batchMajor(outputs), lastState };
}

/**
 * Shows of masked timesteps what Keras shows. tfjs repeats the last output, as Keras does, but where
 * there is none yet the initial state, which Keras does not show.
 */
function maskOutputs(
  layer: RecurrentLayer,
  results: tf.Tensor | tf.Tensor[],
  mask: tf.Tensor,
): tf.Tensor | tf.Tensor[] {
  const [output, ...states] = (Array.isArray(results) ? results : [results]) as [
    tf.Tensor,
    ...tf.Tensor[],
  ];
  const given = tf.cast(tf.cast(mask, 'bool'), 'int32');
  const unmasked = layer.goBackwards ? tf.reverse(given, 1) : given;
  const shown = layer.zeroOutputForMask ? unmasked : tf.cumsum(unmasked, 1);
  const last = tf.slice(shown, [0, (shown.shape[1] ?? 1) - 1]);
  const isShown = tf.greater(layer.returnSequences ? tf.expandDims(shown, -1) : last, 0);
  const masked = tf.where(isShown, output, tf.zerosLike(output));
  return Array.isArray(results) ? [masked, ...states] : masked;
}

/** As in Keras, a rate of one drops nothing. */
function isRate(dropout: number): boolean {
  return dropout > 0 && dropout < 1;
}

/** tfjs takes a dropout function for tests; its own loop calls it. */
function hasOwnDropout({ dropout, dropoutFunc }: RecurrentCell): boolean {
  return isRate(dropout) && (dropoutFunc ?? null) !== null;
}
