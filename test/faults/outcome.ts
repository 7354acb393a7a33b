import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyCheckpoint } from '../../client/cli/checkpoint-folder.ts';
import { createClient } from '../../client/session/client.ts';
import { readJournal } from '../../client/session/journal-file.ts';
import type { RunView } from '../../client/session/types.ts';
import { checkpointIdSchema, type RunEvent } from '../../shared/events.ts';

/** What must be the same whatever happened to a run: not when, and not from which try. */
export interface Outcome {
  readonly state: string;
  readonly step: number;
  /** Of the last checkpoint's tensors: their names, types and places, and their bytes' SHA-256. */
  readonly tensors: unknown;
  /** Every metric's values with their steps, as the client shows them. */
  readonly metrics: unknown;
}

export interface Places {
  readonly run: string;
  /** `<worker's home>/runs/<run>`. */
  readonly onWorker: string;
  /** The client's TELETRAIN_HOME. */
  readonly clientHome: string;
}

/**
 * Looks at what a run left at both ends.
 * @throws AssertionError where the two ends contradict each other or one of them is not whole.
 */
export async function outcomeOf({ run, onWorker, clientHome }: Places): Promise<Outcome> {
  const handle = await createClient({ home: clientHome }).openRun(run, { offline: true });
  const { view } = handle;
  const atHome = view.directory;
  await requireSameEvents(join(onWorker, 'journal'), join(atHome, 'journal'));
  const homeCheckpoints = await requireWholeCheckpoints(join(atHome, 'checkpoints'));
  const workerCheckpoints = await requireWholeCheckpoints(join(onWorker, 'checkpoints'));
  const last = view.checkpoints.at(-1)?.id ?? '';
  assert.equal(homeCheckpoints.at(-1), last, 'the last checkpoint is at home');
  assert.equal(workerCheckpoints.at(-1), last, 'the last checkpoint is on the worker');
  for (const id of workerCheckpoints) {
    if (!homeCheckpoints.includes(id)) continue;
    const manifest = async (folder: string): Promise<string> =>
      readFile(join(folder, 'checkpoints', id, 'manifest.json'), 'utf8');
    assert.equal(
      await manifest(atHome),
      await manifest(onWorker),
      `${id} is the same at both ends`,
    );
  }
  const { state, step } = view;
  await handle.close();
  return {
    state,
    step,
    tensors: await tensorsOf(join(atHome, 'checkpoints', last)),
    metrics: metricsOf(view),
  };
}

/** Both journals hold the same events, numbered from 1 without a gap. */
async function requireSameEvents(worker: string, home: string): Promise<void> {
  const read = async (path: string): Promise<RunEvent[]> => {
    const events: RunEvent[] = [];
    const { torn } = await readJournal(path, (event) => events.push(event));
    assert.equal(torn, false, `${path} ends with a whole record`);
    return events;
  };
  const onWorker = await read(worker);
  const atHome = await read(home);
  assert.deepEqual(
    onWorker.map(({ seq }) => seq),
    onWorker.map((_, index) => index + 1),
    "the worker's events are numbered without a gap",
  );
  assert.deepEqual(atHome, onWorker, "the events at home are the worker's");
}

/** Nothing but whole checkpoints is there. @returns their ids, oldest first. */
async function requireWholeCheckpoints(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).sort();
  const ids = names.filter((name) => checkpointIdSchema.safeParse(name).success);
  // Of a lock a few bytes may stay behind, in the name of a process that is gone.
  const others = names.filter((name) => !ids.includes(name) && !/\.lock(\.|$)/.test(name));
  assert.deepEqual(others, [], `nothing is left over in ${folder}`);
  for (const id of ids) await verifyCheckpoint(join(folder, id));
  return ids;
}

async function tensorsOf(checkpoint: string): Promise<unknown> {
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const tensors: unknown[] = [];
  for (const name of ['model.safetensors', 'optimizer.safetensors']) {
    const bytes = await readFile(join(checkpoint, name));
    const dataAt = 8 + Number(bytes.readBigUInt64LE(0));
    // The metadata names the run, which is not the same one.
    const { __metadata__: _, ...layout } = JSON.parse(bytes.subarray(8, dataAt).toString());
    tensors.push({ name, layout, data: sha256(bytes.subarray(dataAt)) });
  }
  return tensors;
}

function metricsOf(view: RunView): unknown {
  return [...view.series.entries()]
    .map(([name, { length, steps, values }]) => ({
      name,
      steps: [...steps.subarray(0, length)],
      values: [...values.subarray(0, length)],
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
