import { readFile } from 'node:fs/promises';
import { parseConnectionUrl } from '../../shared/connection-url.ts';
import { TeletrainError, UsageError } from '../../shared/errors.ts';
import { isFinal } from '../../shared/events.ts';
import type { ResultOf, Welcome } from '../../shared/messages.ts';
import { completeSettings } from '../../shared/recipes.ts';
import { type Manifest, newRunId, type RunRecord, type RunSummary } from '../../shared/run.ts';
import { type Clock, systemClock } from './clock.ts';
import type { ConnectionTimes } from './connection.ts';
import { unknownRun, unknownWorker } from './errors.ts';
import { type ClientFolders, clientFolders } from './folders.ts';
import { LocalWorker, type StartLocalOptions } from './local-worker.ts';
import { SessionHandle } from './run-handle.ts';
import { RunSession } from './run-session.ts';
import { RunStore } from './run-store.ts';
import type {
  RunHandle,
  RunListItem,
  SetupProgress,
  StartOptions,
  TeletrainClient,
  WorkerReference,
} from './types.ts';
import { importRun } from './uploads.ts';
import { WorkerLink } from './worker-link.ts';
import { localName, PairedWorkers } from './workers.ts';

export interface ClientOptions {
  /** In place of TELETRAIN_HOME: below it, `client/` is this client's and `worker/` the local worker's. */
  readonly home?: string;
  readonly clock?: Clock;
  /** Delays of the connection, for tests. */
  readonly times?: Partial<ConnectionTimes>;
}

/** How long a command waits for a worker that it needs now. */
const connectPatienceMs = 20_000;
/** How long the state of a worker is waited for that may well be away. */
const infoPatienceMs = 5_000;
/** How long `openRun` waits for the worker before it shows what is on disk while it goes on trying. */
const firstLookMs = 4_000;

/** Everything that the commands and the dashboard do with workers and runs. */
export function createClient(options: ClientOptions = {}): TeletrainClient {
  return new SessionClient(options);
}

interface OpenRun {
  readonly session: RunSession;
  holders: number;
}

class SessionClient implements TeletrainClient {
  readonly #clock: Clock;
  readonly #times: Partial<ConnectionTimes> | undefined;
  readonly #folders: ClientFolders;
  readonly #store: RunStore;
  readonly #paired: PairedWorkers;
  readonly #local: LocalWorker;
  readonly #links = new Map<string, WorkerLink>();
  readonly #open = new Map<string, Promise<OpenRun>>();
  readonly #closing = new AbortController();
  #identity: Promise<{ id: string; name: string; version: string }> | undefined;
  /** The local worker is started again when it is gone, since this program needs it. */
  #keepsLocal: StartLocalOptions | undefined;

  constructor({ home, clock, times }: ClientOptions) {
    const environment = home === undefined ? process.env : { ...process.env, TELETRAIN_HOME: home };
    this.#clock = clock ?? systemClock;
    this.#times = times;
    this.#folders = clientFolders(environment);
    this.#store = new RunStore(this.#folders.runs);
    this.#paired = new PairedWorkers(this.#folders);
    this.#local = new LocalWorker({
      folder: this.#folders.localWorker,
      home: this.#folders.localWorkerHome,
      environment,
    });
  }

  // Workers

  async workers(): Promise<readonly WorkerReference[]> {
    const local = await this.#local.address();
    const paired = (await this.#paired.all()).map(({ name, url, addedAt }) => ({
      name,
      url,
      local: false,
      addedAt,
    }));
    if (!local) return paired;
    return [{ name: localName, url: local.url, local: true, addedAt: local.startedAt }, ...paired];
  }

  async connectWorker(
    text: string,
    options: { code: string; name?: string; signal?: AbortSignal },
  ): Promise<WorkerReference> {
    const url = parseConnectionUrl(text);
    if (options.name !== undefined) await this.#paired.requireFree(options.name);
    const link = await this.#makeLink(async () => ({ url, auth: { code: options.code.trim() } }));
    let welcome: Welcome;
    try {
      // A mistyped address is told at once.
      welcome = await link.connected({ ...this.#patience(options.signal), attempts: 1 });
    } finally {
      link.close();
    }
    const { token, worker } = welcome;
    if (token === undefined) {
      throw new TeletrainError('no-token', 'The worker took the code but gave no token.', {
        hint: 'Use the same version of teletrain on both ends.',
      });
    }
    const { name, addedAt } = await this.#paired.add({
      id: worker.id,
      url,
      token,
      ownName: worker.name,
      wishedName: options.name,
      now: this.#clock.now(),
    });
    this.#dropLink(name);
    return { name, url, local: false, addedAt };
  }

  async workerInfo(name: string): Promise<ResultOf<'worker.info'> & { roundTripMs: number }> {
    const link = await this.#linkTo(name);
    await link.connected({ patienceMs: infoPatienceMs, attempts: 2 });
    const askedAt = performance.now();
    const { result } = await link.request('worker.info', {}, { patienceMs: connectPatienceMs });
    return { ...result, roundTripMs: performance.now() - askedAt };
  }

  async stopWorker(name: string): Promise<void> {
    const address = name === localName ? await this.#local.address() : undefined;
    const link = await this.#linkTo(name);
    if (name === localName) this.#keepsLocal = undefined;
    await link.connected(this.#patience());
    await link.request('worker.stop', {}, { patienceMs: connectPatienceMs });
    if (address) await this.#local.gone(address);
  }

  async forgetWorker(name: string): Promise<void> {
    if (!(await this.#paired.remove(name))) throw unknownWorker(name);
    this.#dropLink(name);
  }

  async ensureLocalWorker(
    options: {
      dataDir?: string;
      onProgress?: (progress: SetupProgress) => void;
      signal?: AbortSignal;
    } = {},
  ): Promise<WorkerReference> {
    await this.#local.ensure(options);
    const { dataDir } = options;
    this.#keepsLocal = dataDir === undefined ? {} : { dataDir };
    const address = await this.#local.address();
    return {
      name: localName,
      url: address?.url ?? '',
      local: true,
      addedAt: address?.startedAt ?? this.#clock.now(),
    };
  }

  // Runs

  runs(): Promise<readonly RunListItem[]> {
    return this.#store.list();
  }

  async startRun(options: StartOptions): Promise<RunHandle> {
    const { recipe, quick = false, signal } = options;
    const settings = completeSettings(recipe, options.settings, { quick });
    const name = await this.#choose(options.on);
    if (name === localName) await this.ensureLocalWorker(withoutUndefined(options));
    const link = await this.#linkTo(name);
    await link.connected(this.#patience(signal));
    const now = this.#clock.now();
    const record: RunRecord = {
      format: 1,
      id: newRunId(recipe, new Date(now)),
      recipe,
      settings,
      quick,
      createdAt: now,
      version: (await this.#client()).version,
    };
    // On disk before the worker knows of it, so that whatever happens next the run can be found.
    await this.#store.create(record);
    await this.#remember(record.id, name, link);
    try {
      await link.request(
        'run.start',
        { record },
        { patienceMs: connectPatienceMs, ...withSignal(signal) },
      );
    } catch (error) {
      // A worker that was lost may have started it; one that answered has not.
      if (!(error instanceof TeletrainError) || !isUnsure(error))
        await this.#store.remove(record.id);
      throw error;
    }
    return this.#handle(record.id, async (session) => session.attach(link, name));
  }

  async openRun(
    given: string,
    options: { offline?: boolean; signal?: AbortSignal } = {},
  ): Promise<RunHandle> {
    const id = await this.#store.find(given);
    if (options.offline) {
      if (id === undefined) throw unknownRun(given);
      return this.#handle(id, async () => {});
    }
    if (id === undefined) return this.#openFromWorker(given, options.signal);
    return this.#handle(id, (session) => this.#reach(session, options.signal));
  }

  async resumeRun(
    given: string,
    options: {
      on?: string;
      onProgress?: (progress: SetupProgress) => void;
      signal?: AbortSignal;
    } = {},
  ): Promise<RunHandle> {
    const { on, onProgress, signal } = options;
    const id = await this.#store.find(given);
    if (id === undefined) {
      const handle = await this.#openFromWorker(given, signal);
      await handle.resume();
      return handle;
    }
    const place = await this.#store.place(id);
    const target = on === undefined ? (place?.worker ?? localName) : await this.#choose(on);
    return this.#handle(id, (session) => this.#resumeOn(session, target, onProgress, signal));
  }

  async checkpoints(
    given: string,
  ): Promise<readonly { manifest: Manifest; directory: string; best: boolean }[]> {
    const id = await this.#store.find(given);
    if (id === undefined) throw unknownRun(given);
    const view = await this.#store.load(id);
    const best = view.checkpoints.find((checkpoint) => checkpoint.best)?.id;
    const found = await this.#store.checkpoints(id);
    return found.map(({ manifest, directory }) => ({
      manifest,
      directory,
      best: manifest.id === best,
    }));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const open = await Promise.allSettled(this.#open.values());
    this.#open.clear();
    const closed = await Promise.allSettled(
      open.map((result) =>
        result.status === 'fulfilled' ? result.value.session.close() : undefined,
      ),
    );
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    const failed = closed.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  // Opening

  /** The one session of a run in this program, for one more holder. */
  async #handle(id: string, prepare: (session: RunSession) => Promise<void>): Promise<RunHandle> {
    let opening = this.#open.get(id);
    if (!opening) {
      opening = this.#openSession(id);
      this.#open.set(id, opening);
      opening.catch(() => this.#open.delete(id));
    }
    const open = await opening;
    open.holders += 1;
    const release = async (): Promise<void> => {
      open.holders -= 1;
      if (open.holders > 0 || this.#open.get(id) !== opening) return;
      this.#open.delete(id);
      await open.session.close();
    };
    try {
      await prepare(open.session);
    } catch (error) {
      await release();
      throw error;
    }
    const resume = async (): Promise<void> => {
      const place = await this.#store.place(id);
      await this.#resumeOn(open.session, place?.worker ?? localName, undefined, undefined);
    };
    return new SessionHandle(open.session, resume, release);
  }

  async #openSession(id: string): Promise<OpenRun> {
    const { fold, journal } = await this.#store.open(id);
    const place = await this.#store.place(id);
    if (place) fold.set('worker', place.worker);
    const session = new RunSession({ store: this.#store, fold, journal, clock: this.#clock });
    await session.lookAtHome();
    return { session, holders: 0 };
  }

  /** Follows the run where it is, if that can be reached; else it stays what the disk tells. */
  async #reach(session: RunSession, signal: AbortSignal | undefined): Promise<void> {
    if (session.link) return;
    const place = await this.#store.place(session.id);
    if (!place) return session.detach('it is not known where it ran');
    if (place.worker === localName && !(await this.#local.address())) {
      return session.detach('the worker on this machine is not running');
    }
    let link: WorkerLink;
    try {
      link = await this.#linkTo(place.worker, place.epoch);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      return session.detach(`its worker "${place.worker}" is no longer known`);
    }
    session.attach(link, place.worker);
    await session.firstLook(firstLookMs, signal);
    if (link.welcome) await this.#remember(session.id, place.worker, link);
  }

  /** A run that this machine has never seen may be on a worker that it is paired with. */
  async #openFromWorker(given: string, signal: AbortSignal | undefined): Promise<RunHandle> {
    const found: { name: string; link: WorkerLink; summary: RunSummary }[] = [];
    await Promise.all(
      (await this.workers()).map(async ({ name }) => {
        try {
          const link = await this.#linkTo(name);
          await link.connected({ patienceMs: firstLookMs, ...withSignal(signal) });
          const { result } = await link.request('run.list', {}, { patienceMs: firstLookMs });
          for (const summary of result.runs) {
            if (summary.record.id.startsWith(given)) found.push({ name, link, summary });
          }
        } catch (error) {
          // A worker that cannot be asked has, as far as we can tell, no such run.
          if (!(error instanceof TeletrainError)) throw error;
        }
      }),
    );
    const exact = found.filter(({ summary }) => summary.record.id === given);
    const [only, ...others] = exact.length > 0 ? exact : found;
    if (!only) throw unknownRun(given);
    if (others.some(({ summary }) => summary.record.id !== only.summary.record.id)) {
      throw new UsageError(
        'ambiguous-run',
        `Several runs begin with "${given}".`,
        'Give more of the name.',
      );
    }
    const { record } = only.summary;
    await this.#store.create(record);
    await this.#remember(record.id, only.name, only.link);
    return this.#handle(record.id, async (session) => {
      session.attach(only.link, only.name);
      await session.firstLook(firstLookMs, signal);
    });
  }

  // Resuming

  async #resumeOn(
    session: RunSession,
    target: string,
    onProgress: ((progress: SetupProgress) => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (target === localName) {
      await this.ensureLocalWorker(withoutUndefined({ onProgress, signal }));
    }
    const link = await this.#linkTo(target);
    await link.connected(this.#patience(signal));
    const { result } = await link.request(
      'run.list',
      {},
      { patienceMs: connectPatienceMs, ...withSignal(signal) },
    );
    const there = result.runs.find((summary) => summary.record.id === session.id);
    const isWhole = there !== undefined && there.lastSeq >= session.view.lastSeq;
    if (!isWhole) {
      await this.#leaveOldWorker(session, target, signal);
      await importRun({
        link,
        session,
        store: this.#store,
        ...withoutUndefined({ onProgress, signal }),
      });
    }
    await this.#remember(session.id, target, link);
    if (session.link !== link) session.attach(link, target);
    await session.command('run.resume', { run: session.id }, 'resuming');
  }

  /**
   * Two workers must never train copies of one run. One that cannot be reached is taken for lost:
   * that is when a run is resumed elsewhere.
   * @throws TeletrainError `run-active-elsewhere`.
   */
  async #leaveOldWorker(
    session: RunSession,
    target: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const place = await this.#store.place(session.id);
    if (!place || place.worker === target) return;
    if (place.worker === localName && !(await this.#local.address())) return;
    let summary: RunSummary | undefined;
    try {
      const link = await this.#linkTo(place.worker);
      await link.connected({ patienceMs: firstLookMs, ...withSignal(signal) });
      const { result } = await link.request('run.list', {}, { patienceMs: firstLookMs });
      summary = result.runs.find((other) => other.record.id === session.id);
      if (summary && isFinal(summary.state)) {
        // What it did since we last saw it comes home first.
        if (session.link !== link) session.attach(link, place.worker);
        await session.finished({ lostAfterMs: firstLookMs, ...withSignal(signal) });
      }
    } catch (error) {
      if (!(error instanceof TeletrainError) || signal?.aborted) throw error;
      return;
    }
    if (summary && !isFinal(summary.state)) {
      throw new TeletrainError(
        'run-active-elsewhere',
        `Run "${session.id}" is ${summary.state} on worker "${place.worker}".`,
        {
          hint: `Stop it there first: teletrain stop ${session.id}.`,
        },
      );
    }
  }

  // Links

  /** The name of the worker that is meant. @throws UsageError `not-paired`, `bad-url`. */
  async #choose(on: string | undefined): Promise<string> {
    if (on === undefined || on === localName) return localName;
    if (await this.#paired.named(on)) return on;
    if (!/[:/]/.test(on)) throw unknownWorker(on);
    const url = parseConnectionUrl(on);
    const paired = await this.#paired.at(url);
    if (paired) return paired.name;
    throw new UsageError(
      'not-paired',
      `This machine is not paired with the worker at ${url}.`,
      `Pair with it: teletrain connect ${url}, with the code it prints.`,
    );
  }

  async #linkTo(name: string, lastEpoch?: string): Promise<WorkerLink> {
    const known = this.#links.get(name);
    if (known) return known;
    if (name !== localName && !(await this.#paired.named(name))) throw unknownWorker(name);
    const link = await this.#makeLink(
      () => (name === localName ? this.#localEndpoint() : this.#pairedEndpoint(name)),
      lastEpoch,
    );
    // Another caller may have been first while the worker's name was looked up.
    const meanwhile = this.#links.get(name);
    if (meanwhile) return meanwhile;
    this.#links.set(name, link);
    return link;
  }

  async #localEndpoint(): ReturnType<LocalWorker['endpoint']> {
    const needed = this.#keepsLocal;
    if (!needed) return this.#local.endpoint();
    return this.#local.ensure({ ...needed, signal: this.#closing.signal });
  }

  async #pairedEndpoint(name: string): ReturnType<LocalWorker['endpoint']> {
    const paired = await this.#paired.named(name);
    if (!paired) throw unknownWorker(name);
    return { url: paired.url, auth: { token: paired.token } };
  }

  async #makeLink(
    endpoint: () => ReturnType<LocalWorker['endpoint']>,
    lastEpoch?: string,
  ): Promise<WorkerLink> {
    return new WorkerLink({
      client: await this.#client(),
      endpoint,
      clock: this.#clock,
      ...(this.#times ? { times: this.#times } : {}),
      ...(lastEpoch === undefined ? {} : { lastEpoch }),
    });
  }

  #dropLink(name: string): void {
    this.#links.get(name)?.close();
    this.#links.delete(name);
  }

  #client(): Promise<{ id: string; name: string; version: string }> {
    this.#identity ??= this.#paired
      .clientId()
      .then(async (id) => ({ id, name: 'teletrain', version: await ownVersion() }));
    return this.#identity;
  }

  #patience(signal?: AbortSignal): { patienceMs: number; signal?: AbortSignal } {
    return { patienceMs: connectPatienceMs, ...withSignal(signal) };
  }

  async #remember(id: string, worker: string, link: WorkerLink): Promise<void> {
    const paired = await this.#paired.named(worker);
    const url = paired?.url ?? (await this.#local.address())?.url ?? '';
    const epoch = link.welcome?.worker.epoch;
    await this.#store.setPlace(id, { worker, url, ...(epoch === undefined ? {} : { epoch }) });
  }
}

/** After these nobody knows whether the worker took the request. */
function isUnsure(error: TeletrainError): boolean {
  return ['worker-lost', 'connection-closed', 'cancelled', 'interrupted'].includes(error.code);
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}

type Present<Value> = { [Key in keyof Value]: Exclude<Value[Key], undefined> };

function withoutUndefined<Value extends object>(value: Value): Present<Value> {
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  // Only undefined values were left out.
  return Object.fromEntries(entries) as Present<Value>;
}

async function ownVersion(): Promise<string> {
  const up = import.meta.url.endsWith('.ts') ? '../..' : '../../..';
  const text = await readFile(new URL(`${up}/package.json`, import.meta.url), 'utf8');
  return String(JSON.parse(text).version);
}
