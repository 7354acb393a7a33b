import type * as tf from '@tensorflow/tfjs-core';
import type { NativeDispatch, NativeTensor } from '../ops/native-dispatch.ts';

/**
 * Lets kernels change variables where they lie, though tfjs takes tensors for constants. A variable
 * is changed in place only while it is the one tensor of memory that was made here: where `tf.clone`
 * shares its memory, or another tensor was assigned to it (a restored checkpoint's, which may lie in a
 * JavaScript array), it first gets a copy of its own. So a clone keeps its values.
 *
 * What tfjs does not count is a view that TensorFlow itself makes: `tf.reshape` and `tf.slice` of a
 * variable may share its memory. Such a view must not outlive the step that it was made in.
 *
 * In place, because new tensors measured worse: for the 92 variables of seven PixelRNN layers with
 * their slots 0.5 ms a step for the handles alone, and for an embedding a copy of all of its rows.
 */
export class OwnMemory {
  readonly #native: NativeDispatch;
  readonly #made = new WeakSet<object>();

  constructor(native: NativeDispatch) {
    this.#native = native;
  }

  /** The variable, in memory that may be changed. */
  of(variable: tf.Variable): NativeTensor {
    if (!this.#made.has(variable.dataId) || this.#native.references(variable) > 1) {
      const type = this.#native.typeAttribute(
        'T',
        variable.dtype === 'int32' ? 'int32' : 'float32',
      );
      const [copy] = this.#native.runOnTensors('DeepCopy', [type], [variable], 1) as [tf.Tensor];
      variable.assign(copy);
      copy.dispose();
      this.#made.add(variable.dataId);
    }
    return this.#native.borrow(variable);
  }
}
