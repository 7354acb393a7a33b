import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { TeletrainError } from '../../shared/errors.ts';
import { isFinal, runIdSchema } from '../../shared/events.ts';
import { type History, lifeOf } from '../../shared/lives.ts';
import type { RunRecord } from '../../shared/run.ts';
import type { System } from '../../shared/system.ts';
import { nodeSystem } from '../system.ts';
import { type OnEvents, Run } from './run.ts';
import { type ImportRecord, RunDirectory } from './run-directory.ts';

/** An event, told by its life and its number; before the first one there is no life. */
interface LastEvent {
  readonly life?: string | undefined;
  readonly lastSeq: number;
}

/** The runs in `<home>/runs`. */
export class Runs {
  readonly #folder: string;
  readonly #onEvents: OnEvents;
  readonly #system: System;
  readonly #runs = new Map<string, Run>();

  private constructor(folder: string, onEvents: OnEvents, system: System) {
    this.#folder = folder;
    this.#onEvents = onEvents;
    this.#system = system;
  }

  /**
   * Reads every run. One that cannot be read is left alone and said by `onWarning`; a journal
   * whose end was cut says so in its own log too.
   */
  static async load(
    folder: string,
    onWarning: (message: string) => void,
    onEvents: OnEvents = () => {},
    system: System = nodeSystem,
  ): Promise<Runs> {
    const { disk } = system;
    await disk.mkdir(folder, { recursive: true, mode: 0o700 });
    const runs = new Runs(folder, onEvents, system);
    const names = (await disk.readdir(folder)).filter(
      (name) => runIdSchema.safeParse(name).success,
    );
    for (const name of names.sort()) {
      try {
        await runs.#load(name, onWarning);
      } catch (error) {
        if (!(error instanceof TeletrainError)) throw error;
        onWarning(`Run ${name} is left out. ${error.message} ${error.hint}`);
      }
    }
    return runs;
  }

  get all(): Run[] {
    return [...this.#runs.values()];
  }

  /** At most so many, oldest first. */
  newest(count: number): readonly Run[] {
    return this.all.sort((a, b) => a.record.createdAt - b.record.createdAt).slice(-count);
  }

  find(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  /** @throws TeletrainError `unknown-run`. */
  get(id: string): Run {
    const run = this.#runs.get(id);
    if (run) return run;
    throw new TeletrainError('unknown-run', `This worker has no run "${id}".`, {
      hint: 'See "teletrain runs"; resume it here with "teletrain resume <run> --on <worker>".',
    });
  }

  /** @throws TeletrainError `run-exists`. */
  async create(record: RunRecord): Promise<Run> {
    if (this.#runs.has(record.id)) throw exists(record.id);
    return await this.#make(record, undefined);
  }

  /**
   * Makes a run known that another worker began, as a new life of it.
   * @param asked.replaces the last event of what this worker has of it, which is then moved aside.
   *   Said by who saw it, so that nothing is moved that happened since.
   * @param asked.request key of the request that asks for it.
   * @throws TeletrainError `run-exists` for another run of that name, `run-active`, `run-diverged`.
   */
  async import(
    record: RunRecord,
    imported: ImportRecord,
    { replaces, request }: { replaces?: LastEvent | undefined; request?: string | undefined } = {},
  ): Promise<Run> {
    const known = this.#runs.get(record.id);
    if (known) {
      if (!isDeepStrictEqual(known.record, record)) throw exists(record.id);
      // Sent before, and nothing happened since.
      if (isSameImport(known.imported, imported) && !known.isBegun) return known;
      if (!isFinal(known.fold.state)) {
        throw new TeletrainError('run-active', `Run "${record.id}" is active on this worker.`, {
          hint: 'Attach to it here, or stop it first.',
        });
      }
      const last = lastEventOf(known);
      if (replaces?.lastSeq !== last.lastSeq || replaces.life !== last.life) {
        throw new TeletrainError(
          'run-diverged',
          `This worker has another copy of "${record.id}", up to event ${nameOf(last)}.`,
          { hint: 'Look at that one first, then resume the run here once more.' },
        );
      }
      await known.rest();
      await known.directory.setAside(this.#system.clock.now());
      this.#runs.delete(record.id);
    }
    return await this.#make(record, { ...imported, ...(request === undefined ? {} : { request }) });
  }

  /** Forgets a run that did not begin, with what is on disk of it. */
  async discard(run: Run): Promise<void> {
    this.#runs.delete(run.id);
    await run.rest();
    await run.directory.remove();
  }

  async #make(record: RunRecord, imported: ImportRecord | undefined): Promise<Run> {
    const directory = new RunDirectory(join(this.#folder, record.id), this.#system);
    const wasThere = await directory.isThere();
    try {
      await directory.create(record, imported);
      const { run } = await Run.open(record, directory, imported, this.#onEvents);
      this.#runs.set(record.id, run);
      return run;
    } catch (error) {
      // A part of a run would be said to be unreadable at every start of the worker.
      if (!wasThere) await directory.remove().catch(() => {});
      throw error;
    }
  }

  async #load(name: string, onWarning: (message: string) => void): Promise<void> {
    const directory = new RunDirectory(join(this.#folder, name), this.#system);
    const { record, imported } = await directory.read();
    const { run, cut } = await Run.open(record, directory, imported, this.#onEvents);
    this.#runs.set(name, run);
    if (!cut) return;
    const message =
      cut.kind === 'torn'
        ? `The last ${cut.bytes} bytes of the run's journal were an event cut short by a crash; they were removed.`
        : `The last ${cut.bytes} bytes of the run's journal were damaged; they were removed.`;
    onWarning(`Run ${name}: ${message}`);
    await run.append({ type: 'log', level: 'warning', message });
    await run.rest();
  }
}

/** Whoever asked for it. */
function isSameImport(known: ImportRecord | undefined, imported: ImportRecord): boolean {
  if (!known) return false;
  const { request: _, commits: __, ...what } = known;
  return isDeepStrictEqual(what, imported);
}

function lastEventOf(history: History): LastEvent {
  return { life: lifeOf(history, history.lastSeq), lastSeq: history.lastSeq };
}

const nameOf = ({ life, lastSeq }: LastEvent): string =>
  life === undefined ? `${lastSeq}` : `${lastSeq} of its life ${life}`;

function exists(id: string): TeletrainError {
  return new TeletrainError('run-exists', `This worker already has a run "${id}".`, {
    hint: 'Attach to it, or start a run under another id.',
  });
}
