import type { EngineReport } from '../../shared/engine-report.ts';
import type { TeletrainError } from '../../shared/errors.ts';
import {
  type Drawing,
  type EventOf,
  knownLevel,
  type LogLevel,
  type RunEvent,
  type RunState,
  type RunStatus,
} from '../../shared/events.ts';
import { type Life, livesAfter } from '../../shared/lives.ts';
import type { RunRecord } from '../../shared/run.ts';
import { inflateSample, sampleFile } from './sample-images.ts';
import { GrowingSeries } from './series.ts';
import type {
  Access,
  CheckpointView,
  ConnectionState,
  GrowingSample,
  RunView,
  Sample,
} from './types.ts';

const logLines = 2_000;

/** What was asked of a run until a state event tells that it happened. */
const pendingAfter = {
  pause: 'pausing',
  continue: 'resuming',
  'stop-now': 'stopping',
  'stop-epoch': 'stopping',
} as const;

type Mutable<View> = { -readonly [Key in keyof View]: View[Key] };

/**
 * A run as the fold of its events: the same events give the same view, live or from disk. What is
 * not an event (status, connection, copies at home) is set from outside and kept apart from it.
 */
export class RunFold implements RunView {
  version = 0;
  readonly record: RunRecord;
  readonly directory: string;
  state: RunState = 'starting';
  stateReason?: string;
  stateMessage?: string;
  pending?: 'pausing' | 'resuming' | 'stopping';
  epochs: number;
  patience: number;
  step = 0;
  epoch = 0;
  stepsPerEpoch = 0;
  parameters = 0;
  engine?: EngineReport;
  differs: readonly string[] = [];
  readonly series = new Map<string, GrowingSeries>();
  readonly epochsDone: EventOf<'epoch'>[] = [];
  readonly samples: Sample[] = [];
  drawing?: GrowingSample;
  readonly checkpoints: CheckpointView[] = [];
  readonly log: { time: number; level: LogLevel; message: string }[] = [];
  lastSeq = 0;
  /** Of the events so far. */
  lives: readonly Life[] = [];
  status?: RunStatus & { readonly receivedAt: number };
  connection: ConnectionState = { kind: 'offline', reason: 'not connected' };
  access?: Access;
  worker?: string;
  /** What its events tell, where something else was learned. */
  #told:
    | {
        readonly state: RunState;
        readonly reason?: string | undefined;
        readonly message?: string | undefined;
      }
    | undefined;
  /** Number of the last state event. */
  stateSeq = 0;
  /** Per checkpoint: SHA-256 of its manifest.json, by which a copy is known to be of this one. */
  readonly manifestHashes = new Map<string, string>();
  /** Checkpoints that were the best when they were made. */
  readonly #onceBest = new Set<string>();
  #lastSeries: GrowingSeries | undefined;
  readonly #unknownTypes = new Set<string>();

  constructor(record: RunRecord, directory: string) {
    this.record = record;
    this.directory = directory;
    this.epochs = numberSetting(record, 'epochs');
    this.patience = numberSetting(record, 'patience');
  }

  /** Takes the next event; one that is not the next is a programming error. */
  apply(event: RunEvent): void {
    // A run that came from another worker may begin at a later number.
    if (event.seq !== this.lastSeq + 1 && this.lastSeq !== 0) {
      throw new RangeError(`event ${event.seq} cannot follow event ${this.lastSeq}`);
    }
    this.lastSeq = event.seq;
    this.lives = livesAfter(this.lives, event);
    this.version += 1;
    if (endsDrawing(event)) delete this.drawing;
    switch (event.type) {
      case 'metric':
        this.#reach(event.step, event.epoch);
        this.#seriesOf(event).push(event.step, event.epoch, event.time, event.value);
        return;
      case 'state':
        this.#told = undefined;
        this.state = event.state;
        this.stateSeq = event.seq;
        setOrDelete(this, 'stateReason', event.reason);
        setOrDelete(this, 'stateMessage', event.message);
        delete this.pending;
        return;
      case 'engine':
        this.engine = event.report;
        this.parameters = event.parameters;
        this.stepsPerEpoch = event.stepsPerEpoch;
        this.differs = event.differs ?? [];
        return;
      case 'epoch':
        this.#reach(event.step, event.epoch);
        this.epochsDone.push(event);
        return;
      case 'sample':
        this.#reach(event.step, event.epoch);
        this.#sample(event);
        return;
      case 'log':
        this.#say(event.time, knownLevel(event.level), event.message);
        return;
      case 'checkpoint':
        this.#checkpoint(event);
        return;
      case 'checkpoint-removed':
        this.setCheckpoint(event.id, { removedOnWorker: true });
        return;
      case 'rewind':
        this.#rewind(event.toStep);
        return;
      case 'change':
        this.epochs = event.epochs ?? this.epochs;
        this.patience = event.patience ?? this.patience;
        if (event.asked) this.pending = pendingAfter[event.asked];
        return;
      case 'unknown':
        this.#sayUnknown(event);
    }
  }

  /** Something beside the events changed. */
  set<Key extends 'pending' | 'status' | 'connection' | 'access' | 'worker'>(
    key: Key,
    value: RunView[Key] | undefined,
  ): void {
    this.version += 1;
    setOrDelete(this, key, value);
  }

  /** The worker says what no event could; its next state event counts more. */
  learnState(state: RunState, why: TeletrainError): void {
    this.version += 1;
    const { state: told, stateReason: reason, stateMessage: message } = this;
    this.#told ??= { state: told, reason, message };
    this.state = state;
    this.stateReason = why.code;
    this.stateMessage = why.message;
    delete this.pending;
  }

  /** What was learned holds no more: the state is again what its events tell. */
  unlearnState(): void {
    if (this.#told === undefined) return;
    this.version += 1;
    this.state = this.#told.state;
    setOrDelete(this, 'stateReason', this.#told.reason);
    setOrDelete(this, 'stateMessage', this.#told.message);
    this.#told = undefined;
  }

  /** A sample that is being drawn; undefined where none is any more, or nobody tells of it. */
  draw(drawing: Drawing | undefined): void {
    this.version += 1;
    delete this.drawing;
    const pixels = drawing && inflateSample(drawing);
    if (!drawing || !pixels) return;
    const { step, epoch, name, count, height, width, columns, givenRows, rows } = drawing;
    const facts = { step, epoch, name, count, height, width, columns, givenRows, rows };
    this.drawing = { ...facts, pixels: () => pixels };
  }

  setCheckpoint(id: string, changes: Partial<CheckpointView>): void {
    const at = this.checkpoints.findLastIndex((checkpoint) => checkpoint.id === id);
    const before = this.checkpoints[at];
    if (!before) return;
    this.version += 1;
    this.checkpoints[at] = { ...before, ...changes };
  }

  #reach(step: number, epoch: number): void {
    if (step > this.step) this.step = step;
    if (epoch > this.epoch) this.epoch = epoch;
  }

  #seriesOf(event: EventOf<'metric'>): GrowingSeries {
    const last = this.#lastSeries;
    if (last?.name === event.name && last.split === event.split && last.per === event.per) {
      return last;
    }
    const key = `${event.split}/${event.name}/${event.per}`;
    let series = this.series.get(key);
    if (!series) {
      series = new GrowingSeries(event.split, event.name, event.per);
      this.series.set(key, series);
    }
    this.#lastSeries = series;
    return series;
  }

  #sample(event: EventOf<'sample'>): void {
    const { seq, step, epoch, name, count, height, width, columns, givenRows } = event;
    if (!inflateSample(event)) {
      this.#say(event.time, 'warning', `The sample ${name} of step ${step} arrived damaged.`);
      return;
    }
    this.samples.push({
      seq,
      step,
      epoch,
      name,
      count,
      height,
      width,
      columns,
      givenRows,
      file: sampleFile(event),
      // Checked just above; the fallback keeps a picture's size whatever happens.
      pixels: () => inflateSample(event) ?? new Uint8Array(count * height * width),
    });
  }

  #checkpoint(event: EventOf<'checkpoint'>): void {
    const { id, step, epoch, best, bytes } = event;
    this.#reach(step, epoch);
    this.manifestHashes.set(id, event.manifestSha256);
    const checkpoint: CheckpointView = {
      id,
      step,
      epoch,
      best,
      bytes,
      removedOnWorker: false,
      home: { state: 'absent' },
    };
    if (best) this.#onceBest.add(id);
    else this.#onceBest.delete(id);
    if (best) {
      for (const older of this.checkpoints) {
        if (older.best) this.setCheckpoint(older.id, { best: false });
      }
    }
    const at = this.checkpoints.findLastIndex((other) => other.id === id);
    if (at < 0) this.checkpoints.push(checkpoint);
    else this.checkpoints[at] = checkpoint;
  }

  #rewind(toStep: number): void {
    for (const series of this.series.values()) series.rewind(toStep);
    dropAfter(this.epochsDone, toStep);
    dropAfter(this.samples, toStep);
    dropAfter(this.checkpoints, toStep);
    // What was better than this one is void.
    const best = this.checkpoints.findLast(({ id }) => this.#onceBest.has(id));
    if (best) this.setCheckpoint(best.id, { best: true });
    this.step = Math.min(this.step, toStep);
    const source = this.checkpoints.findLast((checkpoint) => checkpoint.step === toStep);
    const before = this.epochsDone.findLast(() => true)?.epoch ?? 0;
    this.epoch = toStep === 0 ? 0 : Math.min(this.epoch, source?.epoch ?? before + 1);
  }

  /** Once of each type: they are kept, and shown by a version that knows them. */
  #sayUnknown({ time, event: { type } }: EventOf<'unknown'>): void {
    if (this.#unknownTypes.has(type)) return;
    this.#unknownTypes.add(type);
    this.#say(
      time,
      'warning',
      `The worker is newer: its events of type "${type}" are kept and not shown. Update teletrain to see them.`,
    );
  }

  #say(time: number, level: LogLevel, message: string): void {
    this.log.push({ time, level, message });
    if (this.log.length > logLines) this.log.shift();
  }
}

/** What is drawn was finished, or broken off: by the run's end, or by that of its engine. */
function endsDrawing(event: RunEvent): boolean {
  if (event.type === 'state') return event.state !== 'running' && event.state !== 'paused';
  return event.type === 'sample' || event.type === 'engine' || event.type === 'rewind';
}

function setOrDelete<Target extends object, Key extends keyof Target>(
  target: Target,
  key: Key,
  value: Target[Key] | undefined,
): void {
  if (value === undefined) delete (target as Partial<Mutable<Target>>)[key];
  else target[key] = value;
}

function dropAfter(entries: { readonly step: number }[], toStep: number): void {
  const kept = entries.filter((entry) => entry.step <= toStep);
  entries.splice(0, entries.length, ...kept);
}

function numberSetting(record: RunRecord, name: string): number {
  const value = record.settings[name];
  return typeof value === 'number' ? value : 0;
}
