import type * as tf from '@tensorflow/tfjs-core';
import type { OutputsAndState } from './recurrent-options.ts';
import type { SequencePart, SequenceResults } from './sequence-results.ts';

/** Runs a recurrence and returns the parts of its results asked for. */
type RunSequence<LayerWeights, Options> = <Part extends SequencePart>(
  inputs: tf.Tensor3D,
  weights: LayerWeights,
  parts: readonly Part[],
  options?: Options,
) => Pick<SequenceResults, Part>;

/**
 * The three forms in which a recurrence is called; `inputs` are time-major, [timesteps, batch, features].
 *
 * @param stateOf the layer's state from its tensors, each [batch, units]
 */
export function recurrentForms<LayerWeights, Options, State>(
  run: RunSequence<LayerWeights, Options>,
  stateOf: (lastState: readonly tf.Tensor2D[]) => State,
) {
  return {
    /** Every h(t), [timesteps, batch, units]. */
    outputs: (inputs: tf.Tensor3D, weights: LayerWeights, options?: Options): tf.Tensor3D =>
      run(inputs, weights, ['outputs'], options).outputs,

    /** The last state alone; its gradient touches no other timestep's output. */
    lastState: (inputs: tf.Tensor3D, weights: LayerWeights, options?: Options): State =>
      stateOf(run(inputs, weights, ['lastState'], options).lastState),

    /** All outputs with the last state; all have gradients. */
    withState(
      inputs: tf.Tensor3D,
      weights: LayerWeights,
      options?: Options,
    ): OutputsAndState<State> {
      const { outputs, lastState } = run(inputs, weights, ['outputs', 'lastState'], options);
      return { outputs, lastState: stateOf(lastState) };
    },
  };
}
