import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventBody } from '../../../shared/events.ts';
import { version } from '../../../shared/version.ts';
import type { Engine } from '../../engine/backend/engine.ts';
import { workerFolders } from '../../folders.ts';
import type { Prepared } from '../serve.ts';
import type { WorkloadOf } from '../workload.ts';
import type { EngineParts } from './engine-parts.ts';

const nothingWaits = async (): Promise<void> => {};

/**
 * One epoch of a recipe's run as the engine's process performs it, training and validation, with
 * the checkpoint after it left out as Keras' figure leaves it out. Only as many test reviews are
 * scored as a run must.
 */
export async function epoch(
  parts: EngineParts,
  engine: Engine,
  { recipe }: WorkloadOf<'epoch'>,
): Promise<Prepared> {
  const settings = parts.recipes.completeSettings(recipe, { epochs: 1, testExamples: 1 });
  const data = {
    cacheDir: workerFolders().cache,
    ...(process.env.TELETRAIN_DATA && { dataDir: process.env.TELETRAIN_DATA }),
  };
  // Where the data is neither here nor to be had, that is told before anything is timed.
  await parts.datasets.loadDataset(settings, data);
  return {
    async step() {
      const events: EventBody[] = [];
      const directory = await mkdtemp(join(tmpdir(), 'teletrain-bench-run-'));
      try {
        await parts.run.performRun(
          {
            ...{ type: 'start', resume: false, needsCheckpoint: false, lastStep: 0 },
            ...{ directory, ...data },
            record: {
              ...{ format: 1, id: 'bench', recipe, settings, quick: false, createdAt: Date.now() },
              version,
            },
          },
          {
            ...{ engine, version, sendStatus: () => {}, sendDrawing: () => {} },
            controls: new parts.controls.RunControls(),
            journal: {
              send: (event) => events.push(event),
              ...{ room: nothingWaits, kept: nothingWaits },
              // What an earlier teletrain asks for.
              ...{ drained: nothingWaits },
            },
          },
        );
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
      const ended = events.find((event) => event.type === 'epoch');
      if (ended) return 1000 * ended.seconds;
      const last = events.findLast((event) => event.type === 'state');
      throw new Error(last?.message ?? 'The run ended without an epoch.');
    },
  };
}
