import { join } from 'node:path';
import { z } from 'zod';
import { TeletrainError, UsageError } from '../../shared/errors.ts';
import {
  checkpointIdSchema,
  type RunEvent,
  runIdSchema,
  runStateSchema,
} from '../../shared/events.ts';
import {
  type Manifest,
  manifestSchema,
  type RunRecord,
  runRecordSchema,
} from '../../shared/run.ts';
import type { System } from '../../shared/system.ts';
import { noRunYet, unknownRun } from './errors.ts';
import { JournalFile } from './journal-file.ts';
import { hasCode, readJsonFile, writePrivateFile } from './private-file.ts';
import { RunFold } from './run-view.ts';
import { nodeSystem } from './system.ts';
import type { RunListItem, RunView } from './types.ts';

/** Where a run is or was last: which worker, and that worker's epoch when it was seen there. */
const placeSchema = z.object({
  worker: z.string(),
  url: z.string(),
  epoch: z.string().optional(),
});
export type RunPlace = z.infer<typeof placeSchema>;

/** A list of runs must not read every journal each time: what it shows is kept beside it. */
const summarySchema = z.object({
  /** Size of the journal of which this is true. */
  journalBytes: z.number(),
  state: runStateSchema,
  step: z.number(),
  epoch: z.number(),
  epochs: z.number(),
  lastLoss: z.number().optional(),
  bestLoss: z.number().optional(),
});
type Summary = z.infer<typeof summarySchema>;

/** The series by which a run's best checkpoint is chosen. */
const monitored = 'validation/loss/epoch';

/** The runs on this machine's disk: `<runs>/<id>/` with run.json, journal, worker.json, samples/ and checkpoints/. */
export class RunStore {
  readonly #runs: string;
  readonly #system: System;

  constructor(runs: string, system: System = nodeSystem) {
    this.#runs = runs;
    this.#system = system;
  }

  directoryOf(id: string): string {
    return join(this.#runs, id);
  }

  /**
   * Makes a run known here; its run.json stays as it is where there is one. It is written last: a run
   * that is known can be found on its worker, whenever this program ends.
   */
  async create(record: RunRecord, place: RunPlace): Promise<void> {
    const directory = this.directoryOf(record.id);
    const { disk } = this.#system;
    await disk.mkdir(directory, { recursive: true, mode: 0o700 });
    await disk.chmod(directory, 0o700);
    await this.setPlace(record.id, place);
    if (await this.read(record.id)) return;
    const text = `${JSON.stringify(record, null, 2)}\n`;
    await writePrivateFile(join(directory, 'run.json'), text, this.#system);
  }

  /** @returns undefined where there is no such run. @throws UsageError `damaged-file`. */
  read(id: string): Promise<RunRecord | undefined> {
    return readJsonFile(join(this.directoryOf(id), 'run.json'), runRecordSchema, this.#system);
  }

  /** Ids of all runs, newest first; a run whose run.json is damaged is among the oldest. */
  async ids(): Promise<string[]> {
    const names = await this.#system.disk.readdir(this.#runs).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    });
    const runs: { id: string; createdAt: number }[] = [];
    for (const id of names) {
      if (!runIdSchema.safeParse(id).success) continue;
      const record = await this.read(id).catch(() => undefined);
      if (record) runs.push({ id, createdAt: record.createdAt });
    }
    return runs.sort((a, b) => b.createdAt - a.createdAt).map(({ id }) => id);
  }

  /**
   * @param given an id, a beginning that only one run has, or `last`.
   * @returns undefined where no run on disk is meant.
   * @throws UsageError `ambiguous-run`, and `unknown-run` for `last` where there is none.
   */
  async find(given: string): Promise<string | undefined> {
    const ids = await this.ids();
    if (given === 'last') {
      const [newest] = ids;
      if (newest === undefined) throw noRunYet();
      return newest;
    }
    if (ids.includes(given)) return given;
    const matches = ids.filter((id) => given !== '' && id.startsWith(given));
    if (matches.length > 1) {
      throw new UsageError(
        'ambiguous-run',
        `${matches.length} runs begin with "${given}".`,
        `Give more of the name: ${matches.slice(0, 5).join(', ')}.`,
      );
    }
    return matches[0];
  }

  journalPath(id: string): string {
    return join(this.directoryOf(id), 'journal');
  }

  place(id: string): Promise<RunPlace | undefined> {
    return readJsonFile(join(this.directoryOf(id), 'worker.json'), placeSchema, this.#system);
  }

  async setPlace(id: string, place: RunPlace): Promise<void> {
    const path = join(this.directoryOf(id), 'worker.json');
    await writePrivateFile(path, `${JSON.stringify(place)}\n`, this.#system);
  }

  /** Folds a run's events from disk, and opens its journal for more. @throws UsageError `unknown-run`. */
  async open(id: string): Promise<{ fold: RunFold; journal: JournalFile }> {
    const record = await this.read(id);
    if (!record) throw unknownRun(id);
    const fold = new RunFold(record, this.directoryOf(id));
    const take = (event: RunEvent): void => fold.apply(event);
    const journal = await JournalFile.open(this.journalPath(id), take, this.#system);
    return { fold, journal };
  }

  async load(id: string): Promise<RunFold> {
    return (await this.open(id)).fold;
  }

  /** For a run that was refused before it began. */
  async remove(id: string): Promise<void> {
    await this.#system.disk.rm(this.directoryOf(id), { recursive: true, force: true });
  }

  async list(): Promise<RunListItem[]> {
    const items: RunListItem[] = [];
    for (const id of await this.ids()) {
      const record = await this.read(id);
      if (!record) continue;
      const journal = await this.#system.disk.stat(this.journalPath(id)).catch(() => undefined);
      const { journalBytes: _, ...summary } = await this.#summary(id, journal?.size ?? 0);
      const place = await this.place(id).catch(() => undefined);
      items.push({
        record,
        directory: this.directoryOf(id),
        lastHeardAt: journal?.mtimeMs ?? record.createdAt,
        ...definedOnly(summary),
        ...(place ? { worker: place.worker } : {}),
      });
    }
    return items;
  }

  async #summary(id: string, journalBytes: number): Promise<Summary> {
    const path = join(this.directoryOf(id), 'summary.json');
    const kept = await readJsonFile(path, summarySchema, this.#system).catch(() => undefined);
    if (kept?.journalBytes === journalBytes) return kept;
    const summary = { journalBytes, ...summarise(await this.load(id)) };
    // Only a quicker way to the same: where it cannot be written, the list is still right.
    await writePrivateFile(path, JSON.stringify(summary), this.#system).catch(() => {});
    return summary;
  }

  /** The checkpoints that are at home, oldest first. */
  async checkpoints(id: string): Promise<{ manifest: Manifest; directory: string }[]> {
    const folder = join(this.directoryOf(id), 'checkpoints');
    const names = await this.#system.disk.readdir(folder).catch(() => []);
    const found: { manifest: Manifest; directory: string }[] = [];
    for (const name of names.sort()) {
      if (!checkpointIdSchema.safeParse(name).success) continue;
      const directory = join(folder, name);
      const path = join(directory, 'manifest.json');
      const manifest = await readJsonFile(path, manifestSchema, this.#system);
      if (manifest) found.push({ manifest, directory });
    }
    return found;
  }
}

function summarise(view: RunView): Omit<Summary, 'journalBytes'> {
  const { state, step, epoch, epochs } = view;
  const losses = view.series.get(monitored);
  const finite = losses?.values.subarray(0, losses.length).filter(Number.isFinite);
  const lastLoss = finite?.at(-1);
  const bestLoss = finite?.reduce((best, loss) => Math.min(best, loss), Number.POSITIVE_INFINITY);
  return { state, step, epoch, epochs, ...(lastLoss === undefined ? {} : { lastLoss, bestLoss }) };
}

function definedOnly<Value extends object>(
  value: Value,
): { [Key in keyof Value]: Exclude<Value[Key], undefined> } {
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  // Only undefined values were left out.
  return Object.fromEntries(entries) as { [Key in keyof Value]: Exclude<Value[Key], undefined> };
}

/** @throws TeletrainError `no-checkpoint`. */
export function noCheckpoint(id: string): TeletrainError {
  return new TeletrainError(
    'no-checkpoint',
    `No checkpoint of run "${id}" is whole on this machine.`,
    {
      hint: 'A run can only go on elsewhere from a checkpoint that came home: see teletrain checkpoints <run>.',
    },
  );
}
