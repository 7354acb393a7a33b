import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import type { System } from '../../shared/system.ts';
import { workerLockName, workerLockSchema } from '../../shared/worker-lock.ts';
import type { Away, Endpoint } from './current-socket.ts';
import { cancelled } from './errors.ts';
import { FileLock } from './file-lock.ts';
import { makePrivateFolder } from './folders.ts';
import { readJsonFile, readTextFile, writePrivateFile } from './private-file.ts';
import { isAlive, nodeSystem } from './system.ts';
import type { SetupProgress } from './types.ts';
import { type OutputLine, parseOutputLine } from './worker-output.ts';

export interface LocalAddress {
  readonly pid: number;
  readonly url: string;
  readonly startedAt: number;
}

/** What the worker that runs now was started with. */
const startedSchema = z.object({ dataDir: z.string().optional() });

const idleMinutes = 10;
const logPollMs = 50;
/** Compiling and fetching say something now and then; a worker that says nothing for this long hangs. */
const silentMs = 10 * 60_000;
const stopMs = 60_000;

export interface LocalWorkerOptions {
  /** The token that this client made for it, and its log. */
  readonly folder: string;
  /** The worker's own home, where its lock file tells where it listens. */
  readonly home: string;
  /** Given to the worker, which finds its own folders by it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly system?: System;
}

export interface StartLocalOptions {
  readonly dataDir?: string | undefined;
  readonly onProgress?: ((progress: SetupProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The worker on this machine that belongs to this home: started when it is needed, a process of its
 * own that outlives this program, found again by its lock file. It ends by itself after ten
 * minutes with nothing to do.
 */
export class LocalWorker {
  readonly #options: LocalWorkerOptions;
  readonly #system: System;

  constructor(options: LocalWorkerOptions) {
    this.#options = options;
    this.#system = options.system ?? nodeSystem;
  }

  /** @returns undefined where none runs. */
  async address(): Promise<LocalAddress | undefined> {
    const lock = await readJsonFile(
      join(this.#options.home, workerLockName),
      workerLockSchema,
      this.#system,
    ).catch(
      // Read in the moment in which it was written.
      () => undefined,
    );
    if (lock?.url === undefined || !isAlive(lock.pid)) return undefined;
    const { pid, url, startedAt } = lock;
    // A process id is used again one day: only one that listens there is our worker.
    return (await isListening(url)) ? { pid, url, startedAt } : undefined;
  }

  async endpoint(): Promise<Endpoint | Away> {
    const address = await this.address();
    if (!address) return { away: 'the worker on this machine is not running' };
    return { url: address.url, auth: { token: await this.#token() } };
  }

  /** Where the worker that runs now looks for datasets; undefined where it was not told. */
  async dataDir(): Promise<string | undefined> {
    const started = await readJsonFile(this.#path('started.json'), startedSchema);
    return started?.dataDir;
  }

  /** @throws TeletrainError `local-worker-failed`, what the worker itself says, `cancelled`. */
  async ensure(options: StartLocalOptions = {}): Promise<Endpoint | Away> {
    await makePrivateFolder(this.#options.folder);
    if (!(await this.address())) {
      await using _ = await FileLock.take(this.#path('start.lock'), options.signal);
      // Another program may have started it while this one waited.
      if (!(await this.address())) await this.#start(options);
    }
    return this.endpoint();
  }

  /** Waits until a worker that was told to stop is gone. @throws TeletrainError `worker-stays`. */
  async gone(address: LocalAddress): Promise<void> {
    const until = this.#system.clock.monotonic() + stopMs;
    while (isAlive(address.pid)) {
      if (this.#system.clock.monotonic() > until) {
        throw new TeletrainError(
          'worker-stays',
          `The worker on this machine (process ${address.pid}) does not end.`,
          {
            hint: 'Look into its log, and end the process by hand.',
          },
        );
      }
      await sleep(logPollMs);
    }
  }

  #path(name: string): string {
    return join(this.#options.folder, name);
  }

  async #token(): Promise<string> {
    const path = this.#path('token');
    const known = (await readTextFile(path))?.trim();
    if (known) return known;
    const token = randomBytes(32).toString('base64url');
    await writePrivateFile(path, `${token}\n`);
    return token;
  }

  async #start({ dataDir, onProgress, signal }: StartLocalOptions): Promise<void> {
    await setUpEngine(this.#options.environment, onProgress, signal);
    onProgress?.({ message: 'starting the worker on this machine' });
    await this.#token();
    const logPath = this.#path('worker.log');
    await using log = await open(logPath, 'a', 0o600);
    const { size } = await log.stat();
    const child = spawn(
      process.execPath,
      [
        workerProgram('gateway/main.js'),
        ...['--host', '127.0.0.1', '--port', '0', '--name', 'local', '--json'],
        ...['--token-file', this.#path('token'), '--idle-minutes', String(idleMinutes)],
        ...(dataDir === undefined ? [] : ['--data-dir', dataDir]),
      ],
      { detached: true, stdio: ['ignore', log.fd, log.fd], env: this.#options.environment },
    );
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, by) => resolve(by ? `ended by ${by}` : `ended with code ${code}`));
    });
    child.unref();
    try {
      await this.#listening(logPath, size, ended, onProgress, signal);
      await writePrivateFile(this.#path('started.json'), JSON.stringify({ dataDir }));
    } catch (error) {
      child.kill('SIGTERM');
      throw error;
    }
  }

  /** Reads the worker's own output until it listens. */
  async #listening(
    logPath: string,
    from: number,
    ended: Promise<string>,
    onProgress: StartLocalOptions['onProgress'],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let end: string | undefined;
    void ended.then((how) => {
      end = how;
    });
    let position = from;
    let lastLines: string[] = [];
    let heardAt = this.#system.clock.monotonic();
    for (;;) {
      if (signal?.aborted) throw cancelled('Starting the worker', signal);
      // Looked at first: what it said before it ended is in the file by now.
      const isOver = end !== undefined;
      const { text, position: next } = await readLines(logPath, position);
      position = next;
      for (const line of text) {
        heardAt = this.#system.clock.monotonic();
        lastLines = [...lastLines, line].slice(-5);
        const said: OutputLine = parseOutputLine(line);
        if (said.type === 'error') throw said.error;
        if (said.type === 'progress') onProgress?.(said.progress);
      }
      if (await this.address()) return;
      if (isOver) throw startFailed(`it ${end}`, logPath, lastLines);
      if (this.#system.clock.monotonic() - heardAt > silentMs)
        throw startFailed('it says nothing', logPath, lastLines);
      await sleep(logPollMs);
    }
  }
}

/** A compiled program of the worker's, beside this file when it is compiled itself, else in the project's dist/. */
function workerProgram(name: string): string {
  const beside = import.meta.url.endsWith('.ts') ? '../../dist/worker' : '../../worker';
  const path = fileURLToPath(new URL(`${beside}/${name}`, import.meta.url));
  if (existsSync(path)) return path;
  throw new TeletrainError('not-built', 'The worker is not compiled here.', {
    hint: 'Run npm start once, which compiles it.',
  });
}

/**
 * Fetches and compiles what the engine needs, or finds it there at once. Where that fails the
 * worker says itself which engine it falls back to.
 */
async function setUpEngine(
  environment: NodeJS.ProcessEnv,
  onProgress: StartLocalOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal?.aborted) throw cancelled('Setting the engine up', signal);
  const child = spawn(process.execPath, [workerProgram('native/set-up.js')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: environment,
  });
  const abort = (): boolean => child.kill('SIGTERM');
  signal?.addEventListener('abort', abort, { once: true });
  const exited = new Promise<void>((resolve) => {
    child.once('error', () => resolve()).once('exit', () => resolve());
  });
  for await (const line of createInterface(child.stderr)) {
    onProgress?.({ message: line.replace(/^teletrain: /, '') });
  }
  await exited;
  signal?.removeEventListener('abort', abort);
  if (signal?.aborted) throw cancelled('Setting the engine up', signal);
}

function startFailed(why: string, logPath: string, lines: readonly string[]): TeletrainError {
  const last = lines.at(-1)?.slice(0, 300);
  return new TeletrainError(
    'local-worker-failed',
    `The worker on this machine could not be started: ${why}${last ? ` (${last})` : ''}.`,
    {
      hint: `Its log is ${logPath}; teletrain doctor tells what is missing.`,
    },
  );
}

/** Whole lines of a file from a byte on. */
async function readLines(
  path: string,
  from: number,
): Promise<{ text: string[]; position: number }> {
  const { size } = await stat(path);
  if (size <= from) return { text: [], position: from };
  await using file = await open(path, 'r');
  const bytes = Buffer.alloc(size - from);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
  const end = bytes.subarray(0, bytesRead).lastIndexOf('\n') + 1;
  const text = bytes.subarray(0, end).toString().split('\n').filter(Boolean);
  return { text, position: from + end };
}

function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: 2_000 });
    const say = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', say(true)).once('error', say(false)).once('timeout', say(false));
  });
}
