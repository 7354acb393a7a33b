import type * as tf from '@tensorflow/tfjs-core';
import type { Implementation } from './choose.ts';

/** How a recurrence over whole sequences runs. */
export interface RecurrentOptions<State = tf.Tensor2D> {
  /** The state before the first timestep: h(-1), [batch, units], of an LSTM also c(-1). Default: zeros. */
  readonly initialState?: State;
  /** Default: `best`. */
  readonly implementation?: Implementation;
}

export interface GruOptions extends RecurrentOptions {
  /** Apply the reset gate after the product with the state, Keras' and cuDNN's way. Default: true. */
  readonly resetAfter?: boolean;
}

/** Every output and what a recurrence goes on from. */
export interface OutputsAndState<State = tf.Tensor2D> {
  /** [timesteps, batch, units] */
  readonly outputs: tf.Tensor3D;
  readonly lastState: State;
}
