import { type ChildProcess, fork } from 'node:child_process';
import { resolve } from 'node:path';
import type { EventBody, RunStatus } from '../../shared/events.ts';
import { completeSettings, type RecipeName } from '../../shared/recipes.ts';
import type { RunRecord } from '../../shared/run.ts';
import type { FromEngine, StartCommand, ToEngine } from '../../worker/channel.ts';
import { workerFolders } from '../../worker/folders.ts';
import { engineEnvironment } from '../../worker/native/environment.ts';

/** Starts the real engine process and stands in for the gateway. */
export class EngineDriver {
  readonly child: ChildProcess;
  /** In the order they came. */
  readonly messages: FromEngine[] = [];
  readonly exited: Promise<number | null>;
  #watchers: (() => void)[] = [];
  #hasEnded = false;

  private constructor(child: ChildProcess) {
    this.child = child;
    let events = 0;
    child.on('message', (message: FromEngine) => {
      this.messages.push(message);
      if (message.type === 'event' && child.connected) {
        events += 1;
        this.send({ type: 'kept', events });
      }
      this.#wake();
    });
    this.exited = new Promise((done) => {
      const end = (code: number | null) => {
        this.#hasEnded = true;
        this.#wake();
        done(code);
      };
      // `close` comes after the last message, but not at all once the channel was closed here.
      child.on('close', end);
      child.on('exit', (code) => {
        if (!child.connected) end(code);
      });
    });
  }

  static async start(environment: Readonly<Record<string, string>> = {}): Promise<EngineDriver> {
    const program = resolve(import.meta.dirname, '../../worker/engine/main.ts');
    const child = fork(program, [], {
      serialization: 'advanced',
      env: { ...process.env, ...(await engineEnvironment()), ...environment },
      execArgv: [],
    });
    return new EngineDriver(child);
  }

  send(command: ToEngine): void {
    this.child.send(command);
  }

  /** Settles once a message fits. @throws Error when the engine ended before. */
  async until<Found>(find: (messages: readonly FromEngine[]) => Found | undefined): Promise<Found> {
    for (;;) {
      const found = find(this.messages);
      if (found !== undefined) return found;
      if (this.#hasEnded) throw new Error(`The engine ended (${this.child.exitCode}).`);
      await new Promise<void>((wake) => this.#watchers.push(wake));
    }
  }

  /** Settles with the first event that fits. @throws Error when the engine ended before. */
  async untilEvent(fits: (event: EventBody) => boolean): Promise<EventBody> {
    let seen = 0;
    return await this.until((messages) => {
      for (; seen < messages.length; seen += 1) {
        const message = messages[seen];
        if (message?.type === 'event' && fits(message.event)) return message.event;
      }
      return undefined;
    });
  }

  /** The run's final state. */
  async untilEnd(): Promise<EventBody> {
    return await this.untilEvent(
      (event) => event.type === 'state' && !['running', 'paused'].includes(event.state),
    );
  }

  get events(): EventBody[] {
    return this.messages.flatMap((message) => (message.type === 'event' ? [message.event] : []));
  }

  get statuses(): RunStatus[] {
    return this.messages.flatMap((message) => (message.type === 'status' ? [message.status] : []));
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.child.kill(signal);
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) await this.kill();
  }

  #wake(): void {
    for (const wake of this.#watchers.splice(0)) wake();
  }
}

/** A `start` as the gateway would send it. */
export function startCommand(
  recipe: RecipeName,
  directory: string,
  settings: Readonly<Record<string, unknown>>,
  more: Partial<Omit<StartCommand, 'type' | 'record' | 'directory'>> = {},
): StartCommand {
  const record: RunRecord = {
    format: 1,
    id: 'test-run',
    recipe,
    settings: completeSettings(recipe, settings),
    quick: false,
    createdAt: 0,
    version: '0.1.0',
  };
  const dataDir = process.env.TELETRAIN_DATA;
  return {
    type: 'start',
    record,
    directory,
    resume: false,
    needsCheckpoint: false,
    lastStep: 0,
    cacheDir: workerFolders().cache,
    ...(dataDir ? { dataDir } : {}),
    ...more,
  };
}
