import { deflateSync } from 'node:zlib';
import { RunFold } from '../../../../client/session/run-view.ts';
import type {
  Access,
  CheckpointView,
  ConnectionState,
  GrowingSample,
  RunHandle,
  RunView,
} from '../../../../client/session/types.ts';
import { systemClock } from '../../../../shared/clock.ts';
import type { EngineReport } from '../../../../shared/engine-report.ts';
import {
  type EventBody,
  isFinal,
  type RunEvent,
  type RunStatus,
} from '../../../../shared/events.ts';
import { completeSettings, type RecipeName } from '../../../../shared/recipes.ts';
import type { RunRecord } from '../../../../shared/run.ts';

/**
 * A run without sockets and disks, driven by a test: it is given the events that a worker would send
 * and folds them as a client does, and it writes down what it is asked to do.
 */
export class ScriptedRun implements RunHandle {
  readonly view: RunFold;
  /** What was asked, e.g. `pause`, `change {"patience":3}`. */
  readonly asked: string[] = [];
  /** An error that the next command is answered with. */
  refuseWith: Error | undefined;
  closed = false;
  readonly #listeners = new Set<() => void>();
  #notified = false;

  constructor(record: RunRecord, options: { worker?: string; connection?: ConnectionState } = {}) {
    this.view = new RunFold(record, `/home/someone/.local/share/teletrain/runs/${record.id}`);
    this.view.connection = options.connection ?? {
      kind: 'connected',
      since: systemClock.monotonic(),
      roundTripMs: 38,
      restarted: false,
    };
    if (options.worker !== undefined) this.view.worker = options.worker;
  }

  get id(): string {
    return this.view.record.id;
  }

  push(body: EventBody, time = Date.now()): void {
    const envelope = { run: this.id, seq: this.view.lastSeq + 1, time };
    this.view.apply({ ...body, ...envelope } as RunEvent); // the envelope completes the body
    this.changed();
  }

  status(
    status: Omit<RunStatus, 'run' | 'state' | 'step' | 'epoch' | 'epochs' | 'stepsPerEpoch'>,
    receivedAt = systemClock.monotonic(),
  ): void {
    const { state, step, epoch, epochs, stepsPerEpoch } = this.view;
    const progress = { run: this.id, state, step, epoch, epochs, stepsPerEpoch };
    this.view.set('status', { ...progress, ...status, receivedAt });
    this.changed();
  }

  /** A sample as far as it is drawn; undefined where none is any more. */
  draw(drawing: GrowingSample | undefined): void {
    this.view.draw(undefined);
    if (drawing) this.view.drawing = drawing;
    this.changed();
  }

  /** What the worker says that this client may do there. */
  allow(access: Access): void {
    this.view.set('access', access);
    this.changed();
  }

  connect(connection: ConnectionState): void {
    this.view.set('connection', connection);
    this.changed();
  }

  checkpointHome(id: string, home: CheckpointView['home']): void {
    this.view.setCheckpoint(id, { home });
    this.changed();
  }

  pending(pending: RunView['pending'] | undefined): void {
    this.view.set('pending', pending);
    this.changed();
  }

  /** Tells subscribers, once a turn of the event loop, as the real client does. */
  changed(): void {
    if (this.#notified) return;
    this.#notified = true;
    setImmediate(() => {
      this.#notified = false;
      for (const listener of this.#listeners) listener();
    });
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
