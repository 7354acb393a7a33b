import { TeletrainError } from '../../shared/errors.ts';
import type { Observer } from '../../shared/messages.ts';
import { completeSettings } from '../../shared/recipes.ts';
import { type Manifest, newRunId, type RunRecord } from '../../shared/run.ts';
import type { System } from '../../shared/system.ts';
import type { ConnectionTimes } from './connection-times.ts';
import { unknownRun } from './errors.ts';
import { findOnWorkers } from './find-on-workers.ts';
import { clientFolders } from './folders.ts';
import { LocalWorker } from './local-worker.ts';
import { listObservers, revokeObserver } from './observers.ts';
import { firstLookMs, OpenRuns } from './open-runs.ts';
import { resumeRun } from './resume-run.ts';
import type { RunLimits } from './run-done.ts';
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

/** Everything that the commands and the dashboard do with workers and runs. */
export function createClient(options: ClientOptions = {}): TeletrainClient {
  return new SessionClient(options);
}

class SessionClient implements TeletrainClient {
  readonly #system: System;
  readonly #store: RunStore;
  readonly #links: WorkerLinks;
  readonly #runs: OpenRuns;

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
    this.#runs = new OpenRuns({ system, store: this.#store, links: this.#links });
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
    return this.#runs.handle(id, async (session) => session.attach(link, worker));
  }

  async openRun(
    given: string,
    options: { offline?: boolean; signal?: AbortSignal } = {},
  ): Promise<RunHandle> {
    const { offline, signal } = options;
    const id = await this.#store.find(given);
    if (id === undefined && offline) throw unknownRun(given);
    if (id === undefined) return this.#openFromWorker(given, signal);
    return this.#runs.handle(id, async (session, inTurn) => {
      if (!offline) await this.#runs.reach(session, inTurn, signal);
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
    return this.#runs.handle(id, (session, inTurn) =>
      inTurn(async () => {
        const target = chosen ?? (await this.#runs.workerOf(id));
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
    try {
      await this.#runs.close();
    } finally {
      this.#links.close();
    }
  }

  async #openFromWorker(given: string, signal: AbortSignal | undefined): Promise<RunHandle> {
    const { worker, link, summary } = await findOnWorkers(this.#links, given, signal);
    await this.#store.create(summary.record, await this.#links.placeAt(worker, link));
    return this.#runs.handle(summary.record.id, async (session) => {
      session.attach(link, worker);
      await session.firstLook(firstLookMs, signal);
    });
  }
}

/** After these nobody knows whether the worker took the request. */
function isUnsure({ code }: TeletrainError): boolean {
  return ['worker-lost', 'connection-closed', 'cancelled', 'interrupted'].includes(code);
}
