import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineReport } from '../../shared/engine-report.ts';
import type { WireError } from '../../shared/messages.ts';
import type { EngineCommand, FromEngine, ToEngine } from '../channel.ts';

export interface EngineProcessOptions {
  /** The engine's program, started with this same Node. */
  readonly program: string;
  /** Variables beside the gateway's own; asked anew for every start. */
  readonly environment: () => Promise<Readonly<Record<string, string>>>;
}

export interface EngineListener {
  ready(report: EngineReport): void;
  /** A line of its output: what it does while it gets ready. */
  said(line: string): void;
  message(message: Extract<FromEngine, { type: 'status' | 'drawing' }>): void;
  /** Settles when the event is on disk, or is not wanted any more. */
  event(message: Extract<FromEngine, { type: 'event' }>): Promise<void>;
  ended(end: EngineEnd): void;
}

export interface EngineEnd {
  /** Completes "The engine ...". */
  readonly how: string;
  /** The last lines it wrote to its standard error. */
  readonly lastWords: readonly string[];
  /** It was told to end, and did. */
  readonly expected: boolean;
  /** It said that it cannot work here at all; starting it again would not help. */
  readonly unusable?: WireError;
}

/** An engine as far as training uses it. */
export type Engine = Pick<
  EngineProcess,
  'listen' | 'isReady' | 'start' | 'send' | 'kill' | 'shutDown'
>;

const keptLines = 20;
const keptLineLength = 300;
/** Below the gateway's: a busy engine must not keep a ping waiting where cores are few. */
const enginePriority = 5;

/** The engine: a child process that trains, crashes alone and is started again. At most one at a time. */
export class EngineProcess {
  readonly #options: EngineProcessOptions;
  #listener: EngineListener | undefined;
  #child: ChildProcess | undefined;
  #starting: Promise<void> | undefined;
  #ended: Promise<void> = Promise.resolve();
  #isReady = false;
  #isShuttingDown = false;

  constructor(options: EngineProcessOptions) {
    this.#options = options;
  }

  listen(listener: EngineListener): void {
    this.#listener = listener;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it unless it is there. `ready` or `ended` follows. */
  async start(): Promise<void> {
    if (this.#child || this.#isShuttingDown) return;
    this.#starting ??= this.#spawn()
      .catch((error: unknown) => {
        const how = `could not be started (${error instanceof Error ? error.message : error})`;
        this.#listener?.ended({ how, lastWords: [], expected: false });
      })
      .finally(() => {
        this.#starting = undefined;
      });
    await this.#starting;
  }

  /** Says nothing when no engine is there: its end was told, and what was asked is void. */
  send(message: EngineCommand): void {
    const child = this.#child;
    // The channel may close at any moment; `ended` tells.
    if (child?.connected) child.send(message, () => {});
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** For good: lets it leave a checkpoint, and kills it when that takes longer than `graceMs`. */
  async shutDown(graceMs: number): Promise<void> {
    this.#isShuttingDown = true;
    await this.#starting?.catch(() => {});
    this.send({ type: 'shutdown' });
    const deadline = new AbortController();
    const late = sleep(graceMs, 'late', { signal: deadline.signal }).catch(() => 'on time');
    if ((await Promise.race([this.#ended, late])) === 'late') this.kill();
    deadline.abort();
    await this.#ended;
  }

  async #spawn(): Promise<void> {
    const environment = { ...process.env, ...(await this.#options.environment()) };
    if (this.#isShuttingDown) return;
    const child = spawn(process.execPath, [...engineOptions, this.#options.program], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Typed arrays cross as bytes.
      serialization: 'advanced',
    });
    this.#child = child;
    this.#isReady = false;
    const lastWords: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#listener?.said(line);
        lastWords.push(line.slice(0, keptLineLength));
        if (lastWords.length > keptLines) lastWords.shift();
      });
    }
    let unusable: WireError | undefined;
    let failure: Error | undefined;
    const keeping = new Keeping(
      (message) => this.#child === child && child.connected && child.send(message, () => {}),
    );
    child.on('message', (message: FromEngine) => {
      if (message.type === 'unusable') unusable = message.error;
      else if (message.type === 'ready') {
        this.#isReady = true;
        this.#listener?.ready(message.report);
      } else if (message.type === 'event') keeping.add(this.#listener?.event(message));
      else this.#listener?.message(message);
    });
    child.on('error', (error) => {
      failure = error;
    });
    child.on('spawn', () => {
      if (child.pid !== undefined) lowerPriority(child.pid);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    const onEnd = () => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#isReady = false;
      const expected = this.#isShuttingDown && child.exitCode === 0;
      this.#listener?.ended({
        how: endOf(child, failure),
        lastWords,
        expected,
        ...(unusable ? { unusable } : {}),
      });
      resolve();
    };
    // `close` comes after the last message and the last line; without a process there is only `error`.
    child.on('close', onEnd);
    child.on('error', () => {
      if (child.pid === undefined) onEnd();
    });
  }
}

/** Tells an engine how many of its events were kept, at most once a turn of the event loop. */
class Keeping {
  readonly #send: (message: ToEngine) => void;
  #kept = 0;
  #told = 0;

  constructor(send: (message: ToEngine) => void) {
    this.#send = send;
  }

  add(keeping: Promise<void> | undefined): void {
    void Promise.resolve(keeping).then(() => {
      this.#kept += 1;
      if (this.#kept === this.#told + 1) setImmediate(() => this.#tell());
    });
  }

  #tell(): void {
    this.#told = this.#kept;
    this.#send({ type: 'kept', events: this.#kept });
  }
}

/** The gateway's own Node options (source maps, type stripping) serve the engine too; a debugger's port does not. */
const engineOptions = process.execArgv.filter((option) => !option.startsWith('--inspect'));

function endOf(child: ChildProcess, failure: Error | undefined): string {
  if (child.signalCode) return `was killed by ${child.signalCode}`;
  if (child.exitCode !== null) return `ended with code ${child.exitCode}`;
  return `could not be started (${failure?.message ?? 'no reason given'})`;
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, enginePriority);
  } catch {
    // Not allowed here, or it has ended already: it only would have been a courtesy.
  }
}
