import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { sleep } from '../../shared/clock.ts';
import type { EngineReport } from '../../shared/engine-report.ts';
import type { EventBody } from '../../shared/events.ts';
import { type Manifest, manifestSchema } from '../../shared/run.ts';
import type { FromEngine, StartCommand, ToEngine } from '../../worker/channel.ts';
import type { Engine, EngineListener } from '../../worker/gateway/engine-process.ts';
import type { Chance } from './chance.ts';
import type { Program } from './machine.ts';

export const stepsPerEpoch = 3;

/** How the simulated training goes. */
export interface EngineHabits {
  readonly stepMs: number;
  /** Bytes of a checkpoint's weights. */
  readonly weightBytes: number;
  /** Bytes of a picture that each step gives; 0: none. */
  readonly pictureBytes: number;
  /** Newest checkpoints that are kept. */
  readonly kept: number;
}

export const report: EngineReport = {
  kind: 'wasm',
  device: 'cpu',
  tfjsVersion: '0',
  nodeVersion: 'v24.0.0',
  threads: 1,
  cpu: 'none',
  cpuFeatures: [],
  candidates: [],
};

interface Training {
  readonly command: StartCommand;
  epochs: number;
  isPaused: boolean;
  stop: 'now' | 'epoch' | undefined;
}

/**
 * What a run's weights are after a step, as one number: each step's follow from those before it, so
 * that a run that was taken up wrongly shows it.
 */
export function weightsAfter(run: string, step: number): number {
  let weights = createHash('sha256').update(run).digest().readUInt32LE(0);
  for (let count = 1; count <= step; count += 1) weights = nextWeights(weights, count);
  return weights;
}

const nextWeights = (weights: number, step: number): number =>
  (Math.imul(weights ^ (weights >>> 15), 0x2c1b3c6d) + step) >>> 0;

/**
 * An engine that trains nothing: it takes commands, emits events and leaves checkpoints as a real one
 * does, in the gateway's program, whose end is its own.
 */
export class SimulatedEngine implements Engine {
  readonly #program: Program;
  readonly #chance: Chance;
  readonly #habits: EngineHabits;
  #listener: EngineListener | undefined;
  /** The process that lives now. */
  #life: AbortController | undefined;
  #isReady = false;
  #isShuttingDown = false;
  #training: Training | undefined;
  #pinned: readonly string[] = [];
  /** All that it said is in the journal. */
  #kept = Promise.resolve();
  #ended = Promise.withResolvers<void>();

  constructor(program: Program, chance: Chance, habits: EngineHabits) {
    this.#program = program;
    this.#chance = chance;
    this.#habits = habits;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  listen(listener: EngineListener): void {
    this.#listener = listener;
  }

  async start(): Promise<void> {
    if (this.#life || this.#isShuttingDown) return;
    const life = new AbortController();
    this.#life = life;
    this.#kept = Promise.resolve();
    this.#ended = Promise.withResolvers<void>();
    this.#program.happen(this.#chance.spread(50, 3_000), () => {
      if (life.signal.aborted) return;
      this.#isReady = true;
      this.#listener?.ready(report);
    });
  }

  send(message: ToEngine): void {
    const life = this.#life;
    if (life) this.#program.happen(0.05, () => !life.signal.aborted && this.#take(message, life));
  }

  kill(): void {
    this.crash('was killed by SIGKILL');
  }

  /** The process ends; what it said before still arrives. */
  crash(how: string): void {
    const life = this.#life;
    if (!life) return;
    life.abort(new Error('the engine has ended'));
    this.#life = undefined;
    this.#isReady = false;
    this.#training = undefined;
    this.#program.happen(1, () => {
      this.#listener?.ended({ how, lastWords: [], expected: this.#isShuttingDown });
      this.#ended.resolve();
    });
  }

  async shutDown(graceMs: number): Promise<void> {
    this.#isShuttingDown = true;
    if (!this.#life) return;
    this.send({ type: 'shutdown' });
    const { clock } = this.#program.system;
    await Promise.race([this.#ended.promise, sleep(clock, graceMs)]);
    this.kill();
    await this.#ended.promise;
  }

  #take(message: ToEngine, life: AbortController): void {
    const training = this.#training;
    switch (message.type) {
      case 'start': {
        const epochs = message.changed?.epochs ?? Number(message.record.settings.epochs);
        const started: Training = { command: message, epochs, isPaused: false, stop: undefined };
        this.#training = started;
        this.#train(started, life.signal).catch((error: unknown) => {
          if (life.signal.aborted) return;
          this.crash(`failed with ${error}`);
        });
        return;
      }
      case 'pin':
        this.#pinned = message.checkpoints;
        return;
      case 'shutdown':
        if (training) training.stop = 'now';
        else this.crash('ended with code 0');
        return;
      case 'pause':
        if (training) training.isPaused = true;
        return;
      case 'continue':
        if (training) training.isPaused = false;
        return;
      case 'stop':
        if (training) training.stop = message.when;
        return;
      case 'change':
        if (training && message.epochs !== undefined) training.epochs = message.epochs;
    }
  }

  #say(message: Extract<FromEngine, { type: 'event' | 'status' }>): void {
    if (message.type === 'status') {
      this.#program.happen(0.05, () => this.#listener?.message(message));
      return;
    }
    const kept = Promise.withResolvers<void>();
    this.#kept = this.#kept.then(() => kept.promise);
    this.#program.happen(0.05, () => {
      void this.#listener?.event(message).then(() => this.#program.happen(0.05, kept.resolve));
    });
  }

  async #train(training: Training, signal: AbortSignal): Promise<void> {
    const { command } = training;
    const { clock } = this.#program.system;
    const run = command.record.id;
    const tell = (event: EventBody): void => {
      if (!signal.aborted) this.#say({ type: 'event', run, event });
    };
    const found = command.resume ? await this.#newest(command.directory) : undefined;
    signal.throwIfAborted();
    if (!found && command.needsCheckpoint) {
      this.#training = undefined;
      return tell({ type: 'state', state: 'failed', reason: 'no-checkpoint' });
    }
    let step = found?.step ?? 0;
    let weights = found?.weights ?? weightsAfter(run, 0);
    if (step < command.lastStep) tell({ type: 'rewind', toStep: step });
    tell({ type: 'state', state: 'running' });
    let isPausing = false;
    while (step < training.epochs * stepsPerEpoch && training.stop !== 'now') {
      if (training.isPaused && !training.stop) {
        if (!isPausing) tell({ type: 'state', state: 'paused' });
        isPausing = true;
        await sleep(clock, 50, signal);
        continue;
      }
      if (isPausing) tell({ type: 'state', state: 'running' });
      isPausing = false;
      await sleep(clock, this.#habits.stepMs * this.#chance.between(0.5, 1.5), signal);
      step += 1;
      weights = nextWeights(weights, step);
      const epoch = Math.ceil(step / stepsPerEpoch);
      const metric = { type: 'metric', step, epoch, name: 'loss', value: weights } as const;
      tell({ ...metric, split: 'train', per: 'step' });
      if (this.#habits.pictureBytes > 0) tell(this.#picture(step, epoch));
      this.#say({ type: 'status', status: statusOf(run, step, epoch) });
      if (step % stepsPerEpoch !== 0) continue;
      tell({ ...metric, split: 'validation', per: 'epoch' });
      tell({ type: 'epoch', step, epoch, seconds: 1, examplesPerSecond: 1, liveTensors: 0 });
      await this.#kept;
      signal.throwIfAborted();
      await this.#save(command, step, weights, 'epoch', tell);
      signal.throwIfAborted();
      if (training.stop === 'epoch') break;
    }
    if (training.stop === 'now' && step > 0) {
      await this.#kept;
      signal.throwIfAborted();
      await this.#save(command, step, weights, 'stop', tell);
      signal.throwIfAborted();
    }
    this.#training = undefined;
    if (this.#isShuttingDown) return this.crash('ended with code 0');
    const { stop } = training;
    if (stop) tell({ type: 'state', state: 'stopped', reason: `stop-${stop}` });
    else tell({ type: 'state', state: 'done', reason: 'epochs' });
  }

  #picture(step: number, epoch: number): EventBody {
    const size = { count: 1, height: 4, width: 4, columns: 1, givenRows: 0 };
    const { pictureBytes } = this.#habits;
    // A small one is a picture; a large one cannot be, and is only there to be carried.
    const isSmall = pictureBytes < 100;
    const pixels = isSmall ? deflateSync(Buffer.alloc(16, step)) : Buffer.alloc(pictureBytes, step);
    return { type: 'sample', step, epoch, name: 'half', ...size, pixels };
  }

  async #save(
    { directory, record }: StartCommand,
    step: number,
    weights: number,
    reason: 'epoch' | 'stop',
    tell: (event: EventBody) => void,
  ): Promise<void> {
    const { disk, clock } = this.#program.system;
    const id = `step-${String(step).padStart(9, '0')}`;
    const folder = join(directory, 'checkpoints', id);
    const beside = `${folder}.writing`;
    const files = {
      'state.json': Buffer.from(JSON.stringify({ step, weights })),
      'model.safetensors': Buffer.alloc(this.#habits.weightBytes, weights & 255),
    };
    const manifest: Manifest = {
      format: 1,
      run: record.id,
      id,
      step,
      epoch: Math.ceil(step / stepsPerEpoch),
      createdAt: clock.now(),
      files: Object.entries(files).map(([name, bytes]) => ({
        name,
        bytes: bytes.length,
        sha256: sha256(bytes),
      })),
    };
    const text = Buffer.from(JSON.stringify(manifest));
    try {
      await disk.rm(beside, { recursive: true, force: true });
      await disk.mkdir(beside, { recursive: true });
      for (const [name, bytes] of [...Object.entries(files), ['manifest.json', text] as const]) {
        await using file = await disk.open(join(beside, name), 'w');
        await file.writeFile(bytes);
        await file.sync();
      }
      await this.#sync(beside);
      await disk.rm(folder, { recursive: true, force: true });
      await disk.rename(beside, folder);
      await this.#sync(join(directory, 'checkpoints'));
    } catch (error) {
      tell({ type: 'log', level: 'warning', message: `no checkpoint: ${error}` });
      return;
    }
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    const facts = { id, step, epoch: manifest.epoch, reason, best: true, bytes };
    tell({ type: 'checkpoint', ...facts, manifestSha256: sha256(text) });
    await this.#rotate(directory, tell);
  }

  async #rotate(directory: string, tell: (event: EventBody) => void): Promise<void> {
    const { disk } = this.#program.system;
    const folder = join(directory, 'checkpoints');
    const ids = (await disk.readdir(folder)).filter((name) => /^step-\d{9}$/.test(name)).sort();
    for (const id of ids.slice(0, -this.#habits.kept)) {
      if (this.#pinned.includes(id)) continue;
      await disk.rm(join(folder, id), { recursive: true, force: true });
      tell({ type: 'checkpoint-removed', id });
    }
  }

  async #sync(folder: string): Promise<void> {
    await using handle = await this.#program.system.disk.open(folder, 'r');
    await handle.sync();
  }

  /** The newest checkpoint that is whole. */
  async #newest(directory: string): Promise<{ step: number; weights: number } | undefined> {
    const { disk } = this.#program.system;
    const folder = join(directory, 'checkpoints');
    const names = await disk.readdir(folder).catch(() => []);
    for (const name of names
      .filter((id) => /^step-\d{9}$/.test(id))
      .sort()
      .reverse()) {
      const text = await disk.readFile(join(folder, name, 'manifest.json')).catch(() => undefined);
      const manifest = text && manifestSchema.safeParse(JSON.parse(text.toString())).data;
      if (!manifest) continue;
      const contents = await Promise.all(
        manifest.files.map((file) => disk.readFile(join(folder, name, file.name))),
      );
      const isWhole = manifest.files.every(
        (file, index) => sha256(contents[index] ?? Buffer.alloc(0)) === file.sha256,
      );
      if (isWhole) return JSON.parse(contents[0]?.toString() ?? '');
    }
    return undefined;
  }
}

export const sha256 = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

function statusOf(run: string, step: number, epoch: number) {
  const gauges = {
    liveTensors: 0,
    engineMemoryBytes: 0,
    systemMemoryBytes: 1,
    systemMemoryUsedBytes: 0,
    cpu: 0,
  };
  const state = 'running' as const;
  const rates = { epochs: 1, stepsPerEpoch, examplesPerSecond: 1 };
  return { run, state, phase: 'training', step, epoch, ...rates, gauges };
}
