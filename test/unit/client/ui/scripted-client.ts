import { deflateSync, inflateSync } from 'node:zlib';
import type {
  Access,
  CheckpointView,
  ConnectionState,
  GrowingSample,
  Invitation,
  RunHandle,
  RunListItem,
  RunView,
  Sample,
  Series,
  StartOptions,
  TeletrainClient,
  WorkerReference,
} from '../../../../client/session/types.ts';
import type { EngineReport } from '../../../../shared/engine-report.ts';
import { TeletrainError } from '../../../../shared/errors.ts';
import {
  type EventBody,
  type EventOf,
  isFinal,
  knownLevel,
  type RunEvent,
  type RunState,
  type RunStatus,
} from '../../../../shared/events.ts';
import { completeSettings, type RecipeName } from '../../../../shared/recipes.ts';
import type { RunRecord } from '../../../../shared/run.ts';

/**
 * A client without sockets and disks, driven by a test: it is given the events that a worker would
 * send and folds them as a client does, and it writes down what it is asked to do.
 */

class GrowingSeries implements Series {
  readonly name: string;
  readonly split: Series['split'];
  readonly per: Series['per'];
  length = 0;
  steps = new Float64Array(64);
  epochs = new Float64Array(64);
  times = new Float64Array(64);
  values = new Float64Array(64);

  constructor(name: string, split: Series['split'], per: Series['per']) {
    this.name = name;
    this.split = split;
    this.per = per;
  }

  push(step: number, epoch: number, time: number, value: number): void {
    if (this.length === this.steps.length) {
      for (const key of ['steps', 'epochs', 'times', 'values'] as const) {
        const grown = new Float64Array(this.length * 2);
        grown.set(this[key]);
        this[key] = grown;
      }
    }
    this.steps[this.length] = step;
    this.epochs[this.length] = epoch;
    this.times[this.length] = time;
    this.values[this.length] = value;
    this.length += 1;
  }

  rewind(toStep: number): void {
    while (this.length > 0 && (this.steps[this.length - 1] ?? 0) > toStep) this.length -= 1;
  }
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** A run's view as the fold of the events given to `push`. */
export class ScriptedRun implements RunHandle {
  readonly view: Mutable<RunView>;
  /** What was asked, e.g. `pause`, `change {"patience":3}`. */
  readonly asked: string[] = [];
  /** An error that the next command is answered with. */
  refuseWith: Error | undefined;
  closed = false;
  readonly #listeners = new Set<() => void>();
  readonly #series = new Map<string, GrowingSeries>();
  #seq = 0;
  #notified = false;

  constructor(record: RunRecord, options: { worker?: string; connection?: ConnectionState } = {}) {
    const settings = record.settings as { epochs?: number; patience?: number };
    this.view = {
      version: 0,
      record,
      directory: `/home/someone/.local/share/teletrain/runs/${record.id}`,
      state: 'starting',
      epochs: settings.epochs ?? 1,
      patience: settings.patience ?? 0,
      step: 0,
      epoch: 0,
      stepsPerEpoch: 0,
      parameters: 0,
      differs: [],
      series: this.#series,
      epochsDone: [],
      samples: [],
      checkpoints: [],
      log: [],
      lastSeq: 0,
      connection: options.connection ?? {
        kind: 'connected',
        since: Date.now(),
        roundTripMs: 38,
        restarted: false,
      },
      ...(options.worker === undefined ? {} : { worker: options.worker }),
    };
  }

  get id(): string {
    return this.view.record.id;
  }

  push(body: EventBody, time = Date.now()): void {
    this.#seq += 1;
    this.#fold({ ...body, run: this.id, seq: this.#seq, time } as RunEvent); // the envelope completes the body
    this.changed();
  }

  status(
    status: Omit<RunStatus, 'run' | 'state' | 'step' | 'epoch' | 'epochs' | 'stepsPerEpoch'>,
    receivedAt = Date.now(),
  ): void {
    const { state, step, epoch, epochs, stepsPerEpoch } = this.view;
    this.view.status = {
      run: this.id,
      state,
      step,
      epoch,
      epochs,
      stepsPerEpoch,
      ...status,
      receivedAt,
    };
    this.changed();
  }

  /** A sample as far as it is drawn; undefined where none is any more. */
  draw(drawing: GrowingSample | undefined): void {
    if (drawing) this.view.drawing = drawing;
    else delete this.view.drawing;
    this.changed();
  }

  /** What the worker says that this client may do there. */
  allow(access: Access): void {
    this.view.access = access;
    this.changed();
  }

  connect(connection: ConnectionState): void {
    this.view.connection = connection;
    this.changed();
  }

  checkpointHome(id: string, home: CheckpointView['home']): void {
    this.view.checkpoints = this.view.checkpoints.map((checkpoint) =>
      checkpoint.id === id ? { ...checkpoint, home } : checkpoint,
    );
    this.changed();
  }

  pending(pending: RunView['pending'] | undefined): void {
    if (pending) this.view.pending = pending;
    else delete this.view.pending;
    this.changed();
  }

  /** Tells subscribers, once a turn of the event loop, as the real client does. */
  changed(): void {
    this.view.version += 1;
    if (this.#notified) return;
    this.#notified = true;
    setImmediate(() => {
      this.#notified = false;
      for (const listener of this.#listeners) listener();
    });
  }

  #fold(event: RunEvent): void {
    const { view } = this;
    view.lastSeq = event.seq;
    switch (event.type) {
      case 'state':
        view.state = event.state;
        delete view.pending;
        if (event.reason === undefined) delete view.stateReason;
        else view.stateReason = event.reason;
        if (event.message === undefined) delete view.stateMessage;
        else view.stateMessage = event.message;
        break;
      case 'engine':
        view.engine = event.report;
        view.parameters = event.parameters;
        view.stepsPerEpoch = event.stepsPerEpoch;
        view.differs = event.differs ?? [];
        break;
      case 'metric': {
        const key = `${event.split}/${event.name}/${event.per}`;
        let series = this.#series.get(key);
        if (!series) {
          series = new GrowingSeries(event.name, event.split, event.per);
          this.#series.set(key, series);
        }
        series.push(event.step, event.epoch, event.time, event.value);
        view.step = Math.max(view.step, event.step);
        view.epoch = Math.max(view.epoch, event.epoch);
        break;
      }
      case 'epoch':
        view.epochsDone = [...view.epochsDone, event as EventOf<'epoch'>];
        view.step = event.step;
        view.epoch = event.epoch;
        break;
      case 'sample': {
        const { seq, step, epoch, name, count, height, width, columns, givenRows, pixels } = event;
        const sample: Sample = {
          seq,
          step,
          epoch,
          name,
          count,
          height,
          width,
          columns,
          givenRows,
          file: `samples/${seq}.png`,
          pixels: () => inflateSync(pixels),
        };
        view.samples = [...view.samples, sample];
        delete view.drawing;
        break;
      }
      case 'log':
        view.log = [
          ...view.log,
          { time: event.time, level: knownLevel(event.level), message: event.message },
        ].slice(-2000);
        break;
      case 'checkpoint':
        view.checkpoints = [
          ...view.checkpoints.map((checkpoint) =>
            event.best ? { ...checkpoint, best: false } : checkpoint,
          ),
          {
            id: event.id,
            step: event.step,
            epoch: event.epoch,
            best: event.best,
            bytes: event.bytes,
            removedOnWorker: false,
            home: { state: 'absent' },
          },
        ];
        break;
      case 'checkpoint-removed':
        view.checkpoints = view.checkpoints.map((checkpoint) =>
          checkpoint.id === event.id ? { ...checkpoint, removedOnWorker: true } : checkpoint,
        );
        break;
      case 'rewind':
        for (const series of this.#series.values()) series.rewind(event.toStep);
        view.step = event.toStep;
        view.epochsDone = view.epochsDone.filter(({ step }) => step <= event.toStep);
        break;
      case 'change':
        view.epochs = event.epochs ?? view.epochs;
        view.patience = event.patience ?? view.patience;
        break;
    }
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #answer(asked: string): Promise<void> {
    this.asked.push(asked);
    const error = this.refuseWith;
    this.refuseWith = undefined;
    if (error) throw error;
  }

  async pause(): Promise<void> {
    await this.#answer('pause');
    this.pending('pausing');
  }
  async resume(): Promise<void> {
    await this.#answer('resume');
    this.pending('resuming');
  }
  async stop(when: 'now' | 'epoch'): Promise<void> {
    await this.#answer(`stop ${when}`);
    this.pending('stopping');
  }
  async change(changes: { epochs?: number; patience?: number }): Promise<void> {
    await this.#answer(`change ${JSON.stringify(changes)}`);
    this.push({ type: 'change', ...changes });
  }
  async takeControl(from: string): Promise<void> {
    await this.#answer(`take control from ${from}`);
  }
  async download(checkpoint: string): Promise<string> {
    await this.#answer(`download ${checkpoint}`);
    const directory = `${this.view.directory}/checkpoints/${checkpoint}`;
    this.checkpointHome(checkpoint, { state: 'verified', directory });
    return directory;
  }
  async finished(): Promise<RunView> {
    while (!isFinal(this.view.state))
      await new Promise<void>((resolve) => this.#listeners.add(resolve));
    return this.view;
  }
  events(): AsyncIterable<RunEvent> {
    throw new Error('the dashboard reads views, never events');
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

export const nativeEngine: EngineReport = {
  kind: 'native',
  device: 'cpu',
  tensorflowVersion: '2.20.0',
  tfjsVersion: '4.22.0',
  nodeVersion: '24.11.0',
  threads: 2,
  cpu: 'Intel(R) Xeon(R) CPU @ 2.20GHz',
  cpuFeatures: ['avx2', 'fma'],
  candidates: [
    { name: 'native-gpu', chosen: false, reason: 'no NVIDIA GPU' },
    { name: 'native-cpu', chosen: true, reason: 'TensorFlow 2.20.0' },
    { name: 'wasm', chosen: false, reason: 'slower' },
  ],
};

export function recordOf(
  recipe: RecipeName,
  options: {
    id?: string;
    quick?: boolean;
    settings?: Record<string, unknown>;
    createdAt?: number;
  } = {},
): RunRecord {
  const quick = options.quick ?? false;
  return {
    format: 1,
    id: options.id ?? `${recipe}-20261123-001522-k3f9`,
    recipe,
    settings: completeSettings(recipe, options.settings, { quick }) as Record<string, unknown>,
    quick,
    createdAt: options.createdAt ?? Date.UTC(2026, 10, 23, 0, 15, 22),
    version: '0.1.0',
  };
}

/** Pictures as an event carries them. `draw` gives a pixel's grey 0..255. */
export function sampleEvent(
  step: number,
  epoch: number,
  count: number,
  draw: (picture: number, y: number, x: number) => number,
): EventBody {
  const pixels = new Uint8Array(count * 28 * 28);
  for (let picture = 0; picture < count; picture += 1) {
    for (let y = 0; y < 28; y += 1)
      for (let x = 0; x < 28; x += 1) pixels[(picture * 28 + y) * 28 + x] = draw(picture, y, x);
  }
  return {
    type: 'sample',
    step,
    epoch,
    name: 'completed digits',
    count,
    height: 28,
    width: 28,
    columns: 10,
    givenRows: 14,
    pixels: new Uint8Array(deflateSync(pixels)),
  };
}

/** A worker and runs on this machine, as a test lists them. */
export class ScriptedClient implements TeletrainClient {
  workerList: WorkerReference[] = [
    { name: 'local', url: 'ws://127.0.0.1:7431', local: true, addedAt: 0 },
  ];
  runList: RunListItem[] = [];
  readonly opened = new Map<string, ScriptedRun>();
  readonly asked: string[] = [];
  readonly started: StartOptions[] = [];
  refuseWith: Error | undefined;
  closed = false;

  #fail(): void {
    const error = this.refuseWith;
    this.refuseWith = undefined;
    if (error) throw error;
  }

  async workers(): Promise<readonly WorkerReference[]> {
    return this.workerList;
  }
  async connectWorker(
    url: string,
    { code, name, pin }: { code: string; name?: string; pin?: string },
  ): Promise<WorkerReference> {
    this.asked.push(['connect', url, code, name, pin].filter(Boolean).join(' '));
    this.#fail();
    const worker = { name: name ?? 'colab', url, local: false, addedAt: Date.now() };
    this.workerList = [...this.workerList, worker];
    return worker;
  }
  async workerInfo(name: string): ReturnType<TeletrainClient['workerInfo']> {
    if (!this.workerList.some((worker) => worker.name === name))
      throw new TeletrainError('unknown-worker', `There is no worker "${name}".`, {
        hint: 'See "teletrain workers".',
      });
    return {
      name,
      version: '0.1.0',
      pid: 4711,
      home: '/tmp/worker',
      engine: nativeEngine,
      uptimeMs: 61_000,
      freeDiskBytes: 50e9,
      roundTripMs: 0.4,
    };
  }
  async stopWorker(name: string): Promise<void> {
    this.asked.push(`stop worker ${name}`);
    this.#fail();
    this.workerList = this.workerList.filter((worker) => worker.name !== name);
  }
  async inviteObserver(name = 'colab'): Promise<Invitation> {
    return { worker: name, url: 'wss://example/', code: 'K7QM-2XPD', expiresAt: 1 };
  }
  async takeControl(name = 'colab'): Promise<{ worker: string; from?: string }> {
    this.asked.push(`take control of ${name}`);
    return { worker: name };
  }
  async forgetWorker(name: string): Promise<void> {
    this.asked.push(`forget worker ${name}`);
    this.workerList = this.workerList.filter((worker) => worker.name !== name);
  }
  async ensureLocalWorker(
    options: Parameters<TeletrainClient['ensureLocalWorker']>[0] = {},
  ): Promise<WorkerReference> {
    this.asked.push('ensure local worker');
    options.onProgress?.({ message: 'compiling the engine', done: 3, total: 10 });
    this.#fail();
    const local = this.workerList.find((worker) => worker.local) ?? {
      name: 'local',
      url: 'ws://127.0.0.1:7431',
      local: true,
      addedAt: Date.now(),
    };
    if (!this.workerList.includes(local)) this.workerList = [local, ...this.workerList];
    return local;
  }
  async runs(): Promise<readonly RunListItem[]> {
    return this.runList;
  }
  async startRun(options: StartOptions): Promise<RunHandle> {
    this.started.push(options);
    this.#fail();
    const run = new ScriptedRun(
      recordOf(options.recipe, {
        quick: options.quick ?? false,
        settings: { ...options.settings },
      }),
      { worker: options.on ?? 'local' },
    );
    this.opened.set(run.id, run);
    return run;
  }
  async openRun(id: string): Promise<RunHandle> {
    this.asked.push(`open ${id}`);
    this.#fail();
    const run = this.opened.get(id);
    if (!run)
      throw new TeletrainError('unknown-run', `There is no run "${id}".`, {
        hint: 'See "teletrain runs".',
      });
    return run;
  }
  async resumeRun(id: string, options: { on?: string } = {}): Promise<RunHandle> {
    this.asked.push(`resume ${id} on ${options.on ?? 'its worker'}`);
    this.#fail();
    return this.openRun(id);
  }
  async checkpoints(): ReturnType<TeletrainClient['checkpoints']> {
    return [];
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Runs listed as the store lists them, for states that a list shows. */
export const listed = (
  recipe: RecipeName,
  state: RunState,
  options: Partial<RunListItem> & { id?: string } = {},
): RunListItem => {
  const record = recordOf(recipe, options.id === undefined ? {} : { id: options.id });
  return {
    record,
    state,
    step: 100,
    epoch: 1,
    epochs: 10,
    directory: `/tmp/runs/${record.id}`,
    lastHeardAt: Date.now(),
    ...options,
  };
};
