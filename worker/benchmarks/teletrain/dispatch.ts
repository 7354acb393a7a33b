import type { Prepared } from '../serve.ts';
import type { WorkloadOf } from '../workload.ts';
import type { EngineParts } from './engine-parts.ts';

/** What is used of the addon. */
interface Addon {
  executeOp(
    name: string,
    attributes: readonly unknown[],
    inputs: readonly number[],
    outputs: number,
  ): { readonly id: number }[];
  deleteTensor(id: number): void;
}

/** Many additions of two small vectors, one call each, the result freed at once. */
export function dispatch(
  { tf, dispatch }: EngineParts,
  { operations, through }: WorkloadOf<'dispatch'>,
): Prepared {
  const native = dispatch.nativeDispatch();
  if (native === undefined) throw new Error('The native engine does not run here.');
  const [left, right] = [tf.tensor1d([1, 2, 3, 4]), tf.tensor1d([5, 6, 7, 8])];
  const attributes = [native.floatType];
  if (through === 'engine') {
    return {
      step() {
        for (let call = 0; call < operations; call++) {
          native.runOnTensors('AddV2', attributes, [left, right], 1)[0]?.dispose();
        }
      },
    };
  }
  const ids = [left, right].map((tensor) => native.borrow(tensor).id);
  // The backend is tfjs-node's, whose addon its types keep private.
  const { binding } = tf.backend() as unknown as { readonly binding: Addon };
  return {
    step() {
      for (let call = 0; call < operations; call++) {
        const [sum] = binding.executeOp('AddV2', attributes, ids, 1);
        if (sum) binding.deleteTensor(sum.id);
      }
    },
  };
}
