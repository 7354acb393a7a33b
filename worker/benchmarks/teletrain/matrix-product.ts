import type { Prepared } from '../serve.ts';
import type { WorkloadOf } from '../workload.ts';
import type { EngineParts } from './engine-parts.ts';

/** TensorFlow's product of two square matrices, which measures what this machine can do. */
export function matrixProduct(
  { tf }: EngineParts,
  { size }: WorkloadOf<'matrix-product'>,
): Prepared {
  const [left, right] = [tf.randomUniform([size, size]), tf.randomUniform([size, size])];
  return { step: () => tf.matMul(left, right).dispose() };
}
