import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RecipeName } from '../../shared/recipes.ts';

/** A recipe with settings of a size that trains some tens of steps in seconds. */
export interface Workload {
  readonly recipe: RecipeName;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly stepsPerEpoch: number;
  readonly epochs: number;
}

const epochs = 4;
const stepsPerEpoch = 12;

const common = {
  epochs,
  validationExamples: 32,
  testExamples: 32,
  seed: 3,
  // A fifth of a second: checkpoints within epochs too, at steps that no two runs have in common.
  checkpointMinutes: 0.2 / 60,
  keepCheckpoints: 2,
};

/** Checkpoints of 0.4 MiB, their largest file of more than one chunk; grids of samples. */
const digits: Workload = {
  recipe: 'digits-pixel-rnn',
  settings: {
    ...common,
    ...{ dataset: 'mnist-10k', units: 32, outputUnits: 32, batchSize: 16 },
    ...{ trainExamples: 16 * stepsPerEpoch, sampleSteps: 0, sampleCount: 4 },
  },
  stepsPerEpoch,
  epochs,
};

/** An embedding whose rows are trained as they are read, and a checkpoint with tfjs' own files. */
const reviews: Workload = {
  recipe: 'imdb-simple-rnn',
  settings: {
    ...common,
    ...{ vocabulary: 2000, timesteps: 80, embeddingUnits: 16, units: 16, layers: 2, batchSize: 32 },
    ...{ trainExamples: 32 * stepsPerEpoch, optimizer: 'adam', clipNorm: 1 },
  },
  stepsPerEpoch,
  epochs,
};

export const workloads = { digits, reviews } as const;
export type WorkloadName = keyof typeof workloads;

/** Those whose data is here. */
export function availableWorkloads(): WorkloadName[] {
  const data = process.env.TELETRAIN_DATA ?? nearbyData;
  return existsSync(join(data, 'imdb.npz')) ? ['digits', 'reviews'] : ['digits'];
}

const nearbyData = fileURLToPath(new URL('../../../shared/data', import.meta.url));
