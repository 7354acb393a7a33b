import { TeletrainError, UsageError } from '../../shared/errors.ts';
import { isFinal } from '../../shared/events.ts';
import type { Observer } from '../../shared/messages.ts';
import { completeSettings } from '../../shared/recipes.ts';
import { type Manifest, newRunId, type RunRecord, type RunSummary } from '../../shared/run.ts';
import type { System } from '../../shared/system.ts';
import { Turns } from '../../shared/turns.ts';
import type { ConnectionTimes } from './connection-times.ts';
import { unknownRun } from './errors.ts';
import { clientFolders } from './folders.ts';
import { LocalWorker } from './local-worker.ts';
import { listObservers, revokeObserver } from './observers.ts';
import { resumeRun } from './resume-run.ts';
import type { RunLimits } from './run-done.ts';
import { SessionHandle } from './run-handle.ts';
import { RunSession } from './run-session.ts';
import { RunStore } from './run-store.ts';
import type { OpenSocket } from './socket.ts';
import { nodeSystem } from './system.ts';
import type {
  Invitation,
  RunHandle,
  RunListItem,
  SetupProgress,
  StartOptions,
  TeletrainClient,
  WorkerReference,
  WorkerState,
} from './types.ts';
import type { WorkerLink } from './worker-link.ts';
import { patient, WorkerLinks } from './worker-links.ts';
import { localName, PairedWorkers } from './workers.ts';

export interface ClientOptions {
  /** In place of TELETRAIN_HOME: below it, `client/` is this client's and `worker/` the local worker's. */
  readonly home?: string;
  /** The machine it runs on, and how a worker is reached from there, where they are simulated. */
  readonly system?: System;
  readonly openSocket?: OpenSocket;
  /** Delays of the connections, where they are not to be the usual ones. */
  readonly times?: Partial<ConnectionTimes>;
}

/** How long `openRun` waits for the worker before it shows what is on disk while it goes on trying. */
const firstLookMs = 4_000;

/** Everything that the commands and the dashboard do with workers and runs. */
export function createClient(options: ClientOptions = {}): TeletrainClient {
  return new SessionClient(options);
}

interface OpenRun {
  readonly session: RunSession;
  holders: number;
  /** Who goes on with it, one after the other: two at once could bring it to two workers. */
  readonly resumes: Turns;
}

class SessionClient implements TeletrainClient {
  readonly #system: System;
  readonly #store: RunStore;
  readonly #links: WorkerLinks;
  readonly #open = new Map<string, Promise<OpenRun>>();

  constructor({ home, system = nodeSystem, openSocket, times }: ClientOptions) {
    const environment = home === undefined ? process.env : { ...process.env, TELETRAIN_HOME: home };
    const folders = clientFolders(environment);
    const { localWorker: folder, localWorkerHome } = folders;
    this.#system = system;
    this.#store = new RunStore(folders.runs, system);
    this.#links = new WorkerLinks({
      paired: new PairedWorkers(folders, system),
      local: new LocalWorker({ folder, home: localWorkerHome, environment, system }),
      system,
      openSocket,
      times,
    });
  }

  workers(): Promise<readonly WorkerReference[]> {
    return this.#links.workers();
  }

  connectWorker(
    url: string,
    options: { code: string; name?: string; pin?: string; signal?: AbortSignal },
  ): Promise<WorkerReference> {
    return this.#links.pair(url, options);
  }

  workerInfo(name: string, options?: { glance?: boolean }): Promise<WorkerState> {
    return this.#links.info(name, options);
  }

  stopWorker(name: string): Promise<void> {
    return this.#links.stop(name);
  }

  inviteObserver(name?: string, guest?: string): Promise<Invitation> {
    return this.#links.invite(name, guest);
  }

  observers(name?: string): Promise<{ worker: string; observers: readonly Observer[] }> {
    return listObservers(this.#links, name);
  }

  revokeObserver(given: string, name?: string): Promise<{ worker: string; observer: Observer }> {
    return revokeObserver(this.#links, given, name);
  }

  takeControl(name?: string): Promise<{ worker: string; from?: string }> {
    return this.#links.takeControl(name);
  }

  forgetWorker(name: string): Promise<void> {
    return this.#links.forget(name);
  }

  ensureLocalWorker(
    options: {
      dataDir?: string;
      onProgress?: (progress: SetupProgress) => void;
      signal?: AbortSignal;
    } = {},
  ): Promise<WorkerReference> {
    return this.#links.ensureLocal(options);
  }

  runs(): Promise<readonly RunListItem[]> {
    return this.#store.list();
  }

  async startRun(options: StartOptions): Promise<RunHandle> {
    const { recipe, quick = false, signal, dataDir, onProgress } = options;
    const settings = completeSettings(recipe, options.settings, { quick });
    const worker = await this.#links.choose(options.on);
    if (worker === localName) await this.#links.ensureLocal({ dataDir, onProgress, signal });
    const link = await this.#links.to(worker);
    link.requireMayAsk('run.start');
    if (link.state.kind !== 'connected') onProgress?.({ message: `connecting to "${worker}"` });
    await link.connected({ ...patient(signal), attempts: 5 });
    const createdAt = this.#system.clock.now();
    const id = newRunId(recipe, new Date(createdAt), this.#system.random.fraction);
    const { version } = await this.#links.client();
    const record: RunRecord = { format: 1, id, recipe, settings, quick, createdAt, version };
    // On disk before the worker knows of it, so that whatever happens next the run can be found.
    await this.#store.create(record, await this.#links.placeAt(worker, link));
    try {
      await link.request('run.start', { record }, patient(signal));
    } catch (error) {
      // A worker that was lost may have started it; one that answered has not.
      if (!(error instanceof TeletrainError) || !isUnsure(error)) await this.#store.remove(id);
      throw error;
    }
    return this.#handle(id, async (session) => session.attach(link, worker));
  }

  async openRun(
    given: string,
    options: { offline?: boolean; signal?: AbortSignal } = {},
  ): Promise<RunHandle> {
    const { offline, signal } = options;
    const id = await this.#store.find(given);
    if (id === undefined && offline) throw unknownRun(given);
    if (id === undefined) return this.#openFromWorker(given, signal);
    return this.#handle(id, async (session) => {
      if (!offline) await this.#reach(session, signal);
    });
  }

  async resumeRun(
    given: string,
    options: {
      on?: string;
      replace?: boolean;
      changes?: RunLimits;
      onProgress?: (progress: SetupProgress) => void;
      signal?: AbortSignal;
    } = {},
  ): Promise<RunHandle> {
    const { on, replace, changes, onProgress, signal } = options;
    const id = await this.#store.find(given);
    if (id === undefined) {
      const handle = await this.#openFromWorker(given, signal);
      if (changes) await handle.change(changes);
      await handle.resume();
      return handle;
    }
    const system = this.#system;
    const links = this.#links;
    const store = this.#store;
    const chosen = on === undefined ? undefined : await links.choose(on);
    return this.#handle(id, (session, inTurn) =>
      inTurn(async () => {
        const target = chosen ?? (await this.#workerOf(id));
        const place = { links, store, session, system, target };
        await resumeRun({ ...place, replace, changes, onProgress, signal });
      }),
    );
  }

  async checkpoints(
    given: string,
  ): Promise<readonly { manifest: Manifest; directory: string; best: boolean }[]> {
    const id = await this.#store.find(given);
    if (id === undefined) throw unknownRun(given);
    const { checkpoints } = await this.#store.load(id);
    const best = checkpoints.find((checkpoint) => checkpoint.best)?.id;
    const found = await this.#store.checkpoints(id);
    return found.map((checkpoint) => ({ ...checkpoint, best: checkpoint.manifest.id === best }));
  }

  async close(): Promise<void> {
    const open = await Promise.allSettled(this.#open.values());
    this.#open.clear();
    const closed = await Promise.allSettled(
      open.map(async (run) => run.status === 'fulfilled' && this.#end(run.value.session)),
    );
    this.#links.close();
    const failed = closed.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** The one session of a run in this program, for one more holder. */
  async #handle(
    id: string,
    prepare: (
      session: RunSession,
      inTurn: (work: () => Promise<void>) => Promise<void>,
    ) => Promise<void>,
  ): Promise<RunHandle> {
    let opening = this.#open.get(id);
    if (!opening) {
      opening = this.#openSession(id);
      this.#open.set(id, opening);
      opening.catch(() => this.#open.delete(id));
    }
    const open = await opening;
    const { session } = open;
    open.holders += 1;
    const release = async (): Promise<void> => {
      open.holders -= 1;
      if (open.holders > 0 || this.#open.get(id) !== opening) return;
      this.#open.delete(id);
      await this.#end(session);
    };
    const resumeInTurn = (work: () => Promise<void>): Promise<void> => open.resumes.take(work);
    try {
      await prepare(session, resumeInTurn);
    } catch (error) {
      await release();
      throw error;
    }
    const links = this.#links;
    const store = this.#store;
    const system = this.#system;
    const resume = (): Promise<void> =>
      resumeInTurn(async () =>
        resumeRun({ links, store, session, system, target: await this.#workerOf(id) }),
      );
    const change = async (changes: RunLimits): Promise<void> => {
      await this.#wake(session);
      await session.command('run.change', { run: id, ...changes });
    };
    return new SessionHandle(session, { resume, change, release });
  }

  async #openSession(id: string): Promise<OpenRun> {
    const { fold, journal } = await this.#store.open(id);
    const place = await this.#store.place(id);
    if (place) fold.set('worker', place.worker);
    const session = new RunSession({ fold, journal, system: this.#system });
    await session.lookAtHome();
    return { session, holders: 0, resumes: new Turns() };
  }

  /** What the worker was when this program last saw it is kept, so that the next one can tell a new one. */
  async #end(session: RunSession): Promise<void> {
    const { link, view } = session;
    try {
      if (link?.welcome && view.worker !== undefined) {
        await this.#store.setPlace(session.id, await this.#links.placeAt(view.worker, link));
      }
    } finally {
      await session.close();
    }
  }

  async #workerOf(id: string): Promise<string> {
    return (await this.#store.place(id))?.worker ?? localName;
  }

  /** Follows the run where it is, if that can be reached; else it stays what the disk tells. */
  async #reach(session: RunSession, signal: AbortSignal | undefined): Promise<void> {
    if (session.link) return;
    const place = await this.#store.place(session.id);
    if (!place) return session.detach('it is not known where it ran');
    const { worker, epoch } = place;
    if (!(await this.#links.mayBeThere(worker))) {
      return session.detach('the worker on this machine is not running');
    }
    let link: WorkerLink;
    try {
      link = await this.#links.to(worker, epoch);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      return session.detach(`its worker "${worker}" is no longer known`);
    }
    session.attach(link, worker);
    await session.firstLook(firstLookMs, signal);
  }

  /** Starts the local worker for what is asked of a run that ended there. */
  async #wake(session: RunSession): Promise<void> {
    if (session.link || !isFinal(session.view.state)) return;
    if ((await this.#workerOf(session.id)) !== localName) return;
    await this.#links.ensureLocal({});
    await this.#reach(session, undefined);
  }

  /** A run that this machine has never seen may be on a worker that it is paired with. */
  async #openFromWorker(given: string, signal: AbortSignal | undefined): Promise<RunHandle> {
    const found = await this.#findOnWorkers(given, signal);
    const exact = found.filter(({ summary }) => summary.record.id === given);
    const [only, ...others] = exact.length > 0 ? exact : found;
    if (!only) throw unknownRun(given);
    const { worker, link, summary } = only;
    const { id } = summary.record;
    if (others.some((other) => other.summary.record.id !== id)) {
      const hint = 'Give more of the name.';
      throw new UsageError('ambiguous-run', `Several runs begin with "${given}".`, hint);
    }
    await this.#store.create(summary.record, await this.#links.placeAt(worker, link));
    return this.#handle(id, async (session) => {
      session.attach(link, worker);
      await session.firstLook(firstLookMs, signal);
    });
  }

  async #findOnWorkers(
    given: string,
    signal: AbortSignal | undefined,
  ): Promise<{ worker: string; link: WorkerLink; summary: RunSummary }[]> {
    const patience = { ...patient(signal), patienceMs: firstLookMs };
    const ask = async (worker: string) => {
      try {
        const link = await this.#links.to(worker);
        await link.connected({ ...patience, attempts: 2 });
        const { runs } = (await link.request('run.list', {}, patience)).result;
        const matching = runs.filter(({ record }) => record.id.startsWith(given));
        return matching.map((summary) => ({ worker, link, summary }));
      } catch (error) {
        // A worker that cannot be asked has, as far as we can tell, no such run.
        if (!(error instanceof TeletrainError) || signal?.aborted) throw error;
        return [];
      }
    };
    const workers = await this.#links.workers();
    return (await Promise.all(workers.map(({ name }) => ask(name)))).flat();
  }
}

/** After these nobody knows whether the worker took the request. */
function isUnsure({ code }: TeletrainError): boolean {
  return ['worker-lost', 'connection-closed', 'cancelled', 'interrupted'].includes(code);
}
