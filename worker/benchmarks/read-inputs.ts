import { readFileSync } from 'node:fs';
import type { WorkloadOf } from './workload.ts';

export interface ReviewBatch {
  /** [batch, timesteps] */
  readonly tokens: Int32Array;
  /** [batch] */
  readonly labels: Int32Array;
}

/** The batches of a file that `InputFolder.reviews` wrote. */
export function readReviews(workload: WorkloadOf<'sentiment'>): ReviewBatch[] {
  const { inputs, batches, batch, timesteps } = workload;
  const { buffer } = Uint8Array.from(readFileSync(inputs));
  const numbers = new Int32Array(buffer);
  const labels = numbers.subarray(batches * batch * timesteps);
  return Array.from({ length: batches }, (_, index) => ({
    tokens: numbers.subarray(index * batch * timesteps, (index + 1) * batch * timesteps),
    labels: labels.subarray(index * batch, (index + 1) * batch),
  }));
}

/** The batches of a file that `InputFolder.pictures` wrote, each float32 [batch, 28, 28, 1]. */
export function readPictures(workload: WorkloadOf<'pixel-rnn'>): Float32Array[] {
  const pixels = readFileSync(workload.inputs);
  const length = workload.batch * 28 * 28;
  return Array.from({ length: workload.batches }, (_, index) =>
    Float32Array.from(pixels.subarray(index * length, (index + 1) * length)),
  );
}
