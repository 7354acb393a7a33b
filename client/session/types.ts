import type { EngineReport } from '../../shared/engine-report.ts';
import type { EventOf, RunEvent, RunState, RunStatus } from '../../shared/events.ts';
import type { ControlState, Observer, ResultOf, RoleName } from '../../shared/messages.ts';
import type { RecipeName } from '../../shared/recipes.ts';
import type { Manifest, RunRecord } from '../../shared/run.ts';

/**
 * What the session gives to whoever shows or drives a run: the commands (client/cli) and the
 * dashboard (client/ui) know nothing else of sockets and disks.
 */

/** A worker this client is paired with. */
export interface WorkerReference {
  readonly name: string;
  readonly url: string;
  /** Started by this client on this machine. */
  readonly local: boolean;
  readonly addedAt: number;
  /** What this client may do there, as far as the worker said when they paired. */
  readonly role?: RoleName;
}

/** What another machine needs to observe a worker. */
export interface Invitation {
  readonly worker: string;
  /** As this client reaches it. */
  readonly url: string;
  /** Works once, until `expiresAt` (ms since 1970), and gives a token that may only look. */
  readonly code: string;
  readonly expiresAt: number;
  /** Of the worker's key, where this client trusts it by that. */
  readonly pin?: string;
}

/** Times are of the client's monotonic clock (`Clock.monotonic`), which nobody sets. */
export type ConnectionState =
  | {
      readonly kind: 'offline' /** Looked at from disk: no worker is asked. */;
      readonly reason: string;
    }
  | { readonly kind: 'connecting'; readonly attempt: number }
  | {
      readonly kind: 'connected';
      readonly since: number;
      readonly roundTripMs?: number | undefined;
      /** When the first ping was sent that should have been answered long ago; there is no round trip then. */
      readonly unansweredSince?: number | undefined;
      /** The worker was started anew since this client last saw it. */
      readonly restarted: boolean;
    }
  | {
      readonly kind: 'waiting';
      readonly attempt: number;
      readonly retryAt: number;
      readonly reason: string;
    }
  /** Will not be tried again by itself: a wrong token, a version nobody shares. */
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly message: string;
      readonly hint: string;
    };

/** What this client may do at a worker, as that said last. */
export interface Access {
  readonly role: RoleName;
  /** Absent where the worker knows of no control: there every controller may do everything. */
  readonly control?: ControlState | undefined;
}

/** Points of one metric in order of arrival, after rewinds. `steps`, `epochs`, `times` and `values` have `length` valid entries. */
export interface Series {
  readonly name: string;
  readonly split: 'train' | 'validation' | 'test';
  readonly per: 'step' | 'epoch';
  readonly length: number;
  readonly steps: Float64Array;
  readonly epochs: Float64Array;
  readonly times: Float64Array;
  /** NaN and infinities are kept as they were measured. */
  readonly values: Float64Array;
}

export interface Sample {
  readonly seq: number;
  readonly step: number;
  readonly epoch: number;
  readonly name: string;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly columns: number;
  readonly givenRows: number;
  /** The PNG in the run store, relative to the run's folder. */
  readonly file: string;
  /** Grey 0..255, count * height * width; inflated when asked. */
  pixels(): Uint8Array;
}

/** A sample that is being drawn: rows from the top are there, the pixels below are zero. */
export type GrowingSample = Omit<Sample, 'seq' | 'file'> & { readonly rows: number };

export interface CheckpointView {
  readonly id: string;
  readonly step: number;
  readonly epoch: number;
  readonly best: boolean;
  readonly bytes: number;
  readonly removedOnWorker: boolean;
  /** Its copy on this machine. */
  readonly home:
    | { readonly state: 'absent' }
    | { readonly state: 'waiting' }
    | { readonly state: 'arriving'; readonly received: number; readonly bytesPerSecond: number }
    | { readonly state: 'verified'; readonly directory: string }
    | {
        readonly state: 'failed';
        readonly code: string;
        readonly message: string;
        readonly hint: string;
      };
}

/** A run as this client knows it: the fold of its events. Changed in place; `version` grows with every change. */
export interface RunView {
  readonly version: number;
  readonly record: RunRecord;
  /** `<client home>/runs/<id>`. */
  readonly directory: string;
  readonly state: RunState;
  readonly stateReason?: string;
  readonly stateMessage?: string;
  /** Of a state that was asked for and is not reached yet (`pausing`, `stopping`); absent otherwise. */
  readonly pending?: 'pausing' | 'resuming' | 'stopping';
  readonly epochs: number;
  readonly patience: number;
  readonly step: number;
  readonly epoch: number;
  readonly stepsPerEpoch: number;
  readonly parameters: number;
  readonly engine?: EngineReport;
  /** What the last resume found different (engine, versions, threads). */
  readonly differs: readonly string[];
  /** Keyed `${split}/${name}/${per}`. */
  readonly series: ReadonlyMap<string, Series>;
  /** Ended epochs. */
  readonly epochsDone: readonly EventOf<'epoch'>[];
  readonly samples: readonly Sample[];
  /** The sample that is being drawn now, as far as this client has heard of it; absent offline. */
  readonly drawing?: GrowingSample;
  readonly checkpoints: readonly CheckpointView[];
  /** The newest 2,000 log lines. */
  readonly log: readonly {
    readonly time: number;
    readonly level: 'info' | 'warning' | 'error';
    readonly message: string;
  }[];
  readonly lastSeq: number;
  /** Newest live status, received at a time of the client's monotonic clock; absent offline. */
  readonly status?: RunStatus & { readonly receivedAt: number };
  readonly connection: ConnectionState;
  /** While connected. */
  readonly access?: Access;
  readonly worker?: string;
}

export interface RunListItem {
  readonly record: RunRecord;
  readonly state: RunState;
  readonly step: number;
  readonly epoch: number;
  readonly epochs: number;
  readonly worker?: string;
  /** When this machine last heard of it; a run that has not ended may long have gone on, or be no more. */
  readonly lastHeardAt: number;
  /** Last and best value of the monitored validation loss, nats an example. */
  readonly lastLoss?: number;
  readonly bestLoss?: number;
  readonly directory: string;
}

export interface SetupProgress {
  /** One short line: what is being done. */
  readonly message: string;
  readonly done?: number;
  readonly total?: number;
}

/** One run, followed live or read from disk. */
export interface RunHandle {
  readonly id: string;
  readonly view: RunView;
  /** Called after changes, at most once a turn of the event loop. Returns how to stop. */
  subscribe(listener: () => void): () => void;
  /** Each of these resolves when the worker has taken the command; the view shows when it took effect. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(when: 'now' | 'epoch'): Promise<void>;
  change(changes: { epochs?: number; patience?: number }): Promise<void>;
  /** Takes control of the worker from the client whose id was seen in `view.access`. */
  takeControl(from: string): Promise<void>;
  /** Brings one checkpoint home (they also come by themselves while a run is followed). Resolves when verified. */
  download(checkpoint: string, signal?: AbortSignal): Promise<string>;
  /** Resolves when the run is in a final state, all its events are on disk and its checkpoints at home. Rejects `worker-lost` after `lostAfterMs` without a connection (default: never). */
  finished(options?: { signal?: AbortSignal; lostAfterMs?: number }): Promise<RunView>;
  /** Every event from number `fromSeq` (default 1) on: those on disk first, then as they arrive and are on disk. Ends after the last event of a run in a final state, offline after the last on disk, or when `signal` aborts. */
  events(options?: { fromSeq?: number; signal?: AbortSignal }): AsyncIterable<RunEvent>;
  /** Lets go of the run; it goes on. */
  close(): Promise<void>;
}

export interface StartOptions {
  readonly recipe: RecipeName;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly quick?: boolean;
  /** Name of a paired worker or a ws:// or wss:// URL; default: the local worker, started if need be. */
  readonly on?: string;
  readonly dataDir?: string;
  readonly onProgress?: (progress: SetupProgress) => void;
  readonly signal?: AbortSignal;
}

/** How a worker is. */
export type WorkerState = ResultOf<'worker.info'> & { readonly roundTripMs: number };

export interface TeletrainClient {
  workers(): Promise<readonly WorkerReference[]>;
  /** Pairs by one-time code and remembers the token; by `pin` the worker's key is known from then on. */
  connectWorker(
    url: string,
    options: { code: string; name?: string; pin?: string; signal?: AbortSignal },
  ): Promise<WorkerReference>;
  /** @param options.glance nobody is there by this: it neither keeps an idle worker from its end nor control for this machine. */
  workerInfo(name: string, options?: { glance?: boolean }): Promise<WorkerState>;
  stopWorker(name: string): Promise<void>;
  /**
   * Lets another machine observe.
   * @param name default: the only worker there is.
   * @param guest what the list of observers calls it; default: what it calls itself.
   */
  inviteObserver(name?: string, guest?: string): Promise<Invitation>;
  /** Who may look at a worker. @param name default: the only worker there is. */
  observers(name?: string): Promise<{ worker: string; observers: readonly Observer[] }>;
  /**
   * Lets an observer look no more; what it has open there is closed.
   * @param given its id, or its name where that is nobody else's.
   * @throws UsageError `unknown-observer`, `ambiguous-observer`.
   */
  revokeObserver(given: string, name?: string): Promise<{ worker: string; observer: Observer }>;
  /**
   * Takes control of a worker from whoever has it now.
   * @param name default: the only worker there is.
   * @returns the worker's name, and that of the client that was connected and had control.
   */
  takeControl(name?: string): Promise<{ worker: string; from?: string }>;
  forgetWorker(name: string): Promise<void>;
  /** The local worker of this home, started and set up if it is not there. */
  ensureLocalWorker(options?: {
    dataDir?: string;
    onProgress?: (progress: SetupProgress) => void;
    signal?: AbortSignal;
  }): Promise<WorkerReference>;
  /** Runs on this machine's disk, newest first. */
  runs(): Promise<readonly RunListItem[]>;
  startRun(options: StartOptions): Promise<RunHandle>;
  /**
   * Live when its worker can be reached within a few seconds; where it cannot, what is on disk while
   * it goes on trying (connection `waiting`), and `offline` where there is nobody to ask. `id` may be
   * a unique beginning or `last`; a run that is not on this machine is looked for on paired workers.
   */
  openRun(id: string, options?: { offline?: boolean; signal?: AbortSignal }): Promise<RunHandle>;
  /**
   * Where it ran, or on another worker, to which the last checkpoint here is uploaded first. With
   * `replace`, a copy of the run that ended there and is not known here is moved aside on the worker.
   * `changes` hold from then on: a run that is done goes on only with more epochs or patience.
   */
  resumeRun(
    id: string,
    options?: {
      on?: string;
      replace?: boolean;
      changes?: { epochs?: number; patience?: number };
      onProgress?: (progress: SetupProgress) => void;
      signal?: AbortSignal;
    },
  ): Promise<RunHandle>;
  checkpoints(
    id: string,
  ): Promise<readonly { manifest: Manifest; directory: string; best: boolean }[]>;
  close(): Promise<void>;
}
