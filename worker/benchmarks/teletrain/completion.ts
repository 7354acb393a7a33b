import { readFileSync } from 'node:fs';
import type { Prepared } from '../serve.ts';
import type { WorkloadOf } from '../workload.ts';
import type { EngineParts } from './engine-parts.ts';

const size = { rows: 28, columns: 28 };

/** Completes pictures whose upper rows are given, as a run's sample grid is made. */
export async function completion(
  parts: EngineParts,
  workload: WorkloadOf<'completion'>,
): Promise<Prepared> {
  const { layers, units, outputUnits, pictures: count, givenRows, naive, inputs } = workload;
  const settings = parts.recipes.completeSettings('digits-pixel-rnn', {
    ...{ layers, units, outputUnits },
  });
  const model = parts.create.createModel('digits-pixel-rnn', settings);
  const pictures = Uint8Array.from(readFileSync(inputs));
  if (!naive) {
    return { step: () => model.complete(pictures, count, givenRows, Math.random).then(() => {}) };
  }
  const { completeNaively } = await parts.load<
    typeof import('../../engine/models/naive-sampling.ts')
  >('worker/engine/models/naive-sampling');
  const firstRow = size.rows - 1;
  return {
    step: () =>
      completeNaively(model, pictures, { size, count, firstRow, random: Math.random }).then(
        () => {},
      ),
    note: `one of ${size.rows - givenRows} rows timed, times ${size.rows - givenRows}`,
  };
}
