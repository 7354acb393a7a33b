import { TeletrainError, UsageError } from '../../shared/errors.ts';
import type { RunEvent, RunState } from '../../shared/events.ts';
import type { RunRecord, RunSummary } from '../../shared/run.ts';
import { unknownRun } from './errors.ts';
import { clientFolders } from './folders.ts';
import { LocalWorker } from './local-worker.ts';
import { ObservedEvents } from './observed-events.ts';
import { nodeSystem } from './system.ts';
import type { WorkerLink } from './worker-link.ts';
import { WorkerLinks } from './worker-links.ts';
import { PairedWorkers } from './workers.ts';

export interface ObserveOptions {
  /** A run's name, a beginning that only one has, or `last`. Default: the run that trains now. */
  readonly run?: string;
  /**
   * `start`: all events that the worker has; `now`: those to come; a number: from that event on.
   * Default: `start`.
   */
  readonly from?: 'start' | 'now' | number;
  /** Ends the iteration, as the run's end does. */
  readonly signal?: AbortSignal;
  /** How long the worker may be out of reach, in ms, at first and later. Default: 60 s. */
  readonly patienceMs?: number;
  /** In place of TELETRAIN_HOME: where this client's paired workers are known. */
  readonly home?: string;
}

/**
 * A run on a worker, to be looked at. Each iteration gives its events once and in order, over cuts and
 * reconnects, until the run has ended. Who takes them slowly loses none and need not hold them: the
 * worker keeps what was not taken.
 */
export interface Observation extends AsyncIterable<RunEvent, void, void> {
  readonly worker: string;
  readonly record: RunRecord;
  /** As the run was when it was looked for. */
  readonly state: RunState;
}

/**
 * Looks at a run without keeping anything of it:
 *
 *     for await (const event of await observe('colab')) {
 *       if (event.type === 'metric') console.log(event.step, event.name, event.value);
 *     }
 *
 * It asks for nothing that changes anything, so a worker that was shared (`teletrain share`) will do.
 * @param on name or address of a paired worker; by default the only one that this machine knows.
 * @throws TeletrainError `not-paired`, `which-worker`, `worker-not-running`, `worker-lost`, `no-active-run`,
 *   `unknown-run`, `ambiguous-run`; while it is iterated also `run-diverged` (the run was replaced by
 *   another copy) and what the worker answers.
 */
export async function observe(on?: string, options: ObserveOptions = {}): Promise<Observation> {
  const { home, run: given, from = 'start', signal, patienceMs = 60_000 } = options;
  const patience = { patienceMs, ...(signal ? { signal } : {}) };
  const open = async (): Promise<Opened> => {
    const links = workerLinks(home);
    try {
      const worker = await links.chooseKnown(on);
      const link = await links.to(worker);
      await link.connected(patience);
      return { worker, link, [Symbol.dispose]: () => links.close() };
    } catch (error) {
      links.close();
      throw error;
    }
  };

  using found = await open();
  const { record, state } = await findRun(found, given, patience);

  async function* events(): AsyncGenerator<RunEvent, void, void> {
    if (signal?.aborted) return;
    using opened = await open();
    const { worker, link } = opened;
    const next = async () => (await findRun(opened, record.id, patience)).lastSeq + 1;
    const fromSeq = from === 'start' ? 1 : from === 'now' ? await next() : from;
    using taken = new ObservedEvents({ run: record.id, worker, link, fromSeq, patienceMs, signal });
    yield* taken.events();
  }
  return { worker: found.worker, record, state, [Symbol.asyncIterator]: events };
}

interface Opened extends Disposable {
  readonly worker: string;
  readonly link: WorkerLink;
}

interface Patience {
  readonly patienceMs: number;
  readonly signal?: AbortSignal;
}

async function findRun(
  { worker, link }: Opened,
  given: string | undefined,
  patience: Patience,
): Promise<RunSummary> {
  const { runs } = (await link.request('run.list', {}, patience)).result;
  const wanted = given ?? (await link.request('worker.info', {}, patience)).result.activeRun;
  const names = runs.map(({ record }) => record.id);
  if (wanted === undefined) {
    throw new TeletrainError('no-active-run', `Nothing trains on worker "${worker}" now.`, {
      hint: names.length > 0 ? `Name a run, or "last" for ${names.at(-1)}.` : 'Start a run first.',
    });
  }
  const exact = wanted === 'last' ? runs.at(-1) : runs.find(({ record }) => record.id === wanted);
  if (exact) return exact;
  const [only, ...others] = runs.filter(({ record }) => record.id.startsWith(wanted));
  if (!only) throw unknownRun(wanted);
  if (others.length > 0) {
    const hint = `Give more of the name: ${names.filter((name) => name.startsWith(wanted)).join(', ')}.`;
    throw new UsageError(
      'ambiguous-run',
      `${others.length + 1} runs begin with "${wanted}".`,
      hint,
    );
  }
  return only;
}

function workerLinks(home: string | undefined): WorkerLinks {
  const environment = home === undefined ? process.env : { ...process.env, TELETRAIN_HOME: home };
  const folders = clientFolders(environment);
  const { localWorker: folder, localWorkerHome } = folders;
  const system = nodeSystem;
  return new WorkerLinks({
    paired: new PairedWorkers(folders, system),
    local: new LocalWorker({ folder, home: localWorkerHome, environment, system }),
    system,
    openSocket: undefined,
    times: undefined,
  });
}
