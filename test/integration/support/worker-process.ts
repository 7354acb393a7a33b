import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WireClient } from './wire-client.ts';

const program = fileURLToPath(new URL('../../../worker/gateway/main.ts', import.meta.url));
const compiledProgram = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/')
      ? '../../../worker/gateway/main.js'
      : '../../../dist/worker/gateway/main.js',
    import.meta.url,
  ),
);
const smallEngine = fileURLToPath(new URL('./small-engine.ts', import.meta.url));

export type Line = { readonly event: string } & Readonly<Record<string, unknown>>;

export interface WorkerProcessOptions {
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** No file of its grows beyond so many KiB: the system refuses to write more, as a full disk does. */
  readonly fileKib?: number;
  /** Started by a program of its own, which `child` is then. */
  readonly inBetween?: boolean;
  /** As it is installed: compiled, with its own engine. */
  readonly compiled?: boolean;
}

/** A real worker process, by default with the small engine and started from source. */
export class WorkerProcess {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  readonly errors: string[] = [];
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  #waiting: { wants: (line: Line) => boolean; give: (line: Line) => void }[] = [];

  constructor(home: string, options: WorkerProcessOptions = {}) {
    const command = [
      process.execPath,
      ...(options.compiled ? [compiledProgram] : [program, '--engine-program', smallEngine]),
      ...['--json', '--port', '0', '--home', home],
      ...(options.args ?? []),
    ];
    const starter =
      "require('child_process').spawn(process.argv[1], process.argv.slice(2), { stdio: 'inherit' })";
    const limited = ['bash', '-c', `ulimit -f ${options.fileKib}; exec "$0" "$@"`, ...command];
    const [file = '', ...args] = options.inBetween
      ? [process.execPath, '-e', starter, ...command]
      : options.fileKib === undefined
        ? command
        : limited;
    this.child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TELETRAIN_HOME: home, ...options.environment },
    });
    const { stdout, stderr } = this.child;
    if (!stdout || !stderr) throw new Error('the worker has no output');
    createInterface({ input: stdout }).on('line', (text) => this.#heard(JSON.parse(text) as Line));
    createInterface({ input: stderr }).on('line', (text) => this.errors.push(text));
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  /** The first line, said or still to be said, that is of this event. */
  async line(event: string, wants: (line: Line) => boolean = () => true): Promise<Line> {
    const isWanted = (line: Line) => line.event === event && wants(line);
    const said = this.lines.find(isWanted);
    if (said) return said;
    const ended = this.ended.then(({ code, signal }) => {
      throw new Error(
        `the worker ended (${code ?? signal}) before it said "${event}": ${JSON.stringify(this.lines.at(-1))} ${this.errors.join('\n')}`,
      );
    });
    const line = new Promise<Line>((give) => this.#waiting.push({ wants: isWanted, give }));
    return await Promise.race([line, ended]);
  }

  async listening(): Promise<{ url: string; code: string }> {
    const { url, code } = await this.line('listening');
    return { url: String(url), code: String(code) };
  }

  /** Ends it at once, as the system does when memory runs out. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  async stop(): Promise<{ code: number | null; signal: string | null }> {
    this.child.kill('SIGTERM');
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #heard(line: Line): void {
    this.lines.push(line);
    const given = this.#waiting.filter(({ wants }) => wants(line));
    this.#waiting = this.#waiting.filter((waiting) => !given.includes(waiting));
    for (const { give } of given) give(line);
  }
}

/** A folder that is gone when the test ends. */
export async function temporaryHome(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'teletrain-'));
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** A worker home with a token that every worker started on it accepts. */
export async function homeWithToken() {
  const home = await temporaryHome();
  const token = randomBytes(32).toString('base64url');
  const file = join(home.path, 'given-token');
  // Who connects without saying who is the same each time, and has control with all connections.
  const installation = randomUUID();
  await writeFile(file, token, { mode: 0o600 });
  return {
    path: home.path,
    token,
    start: (options: WorkerProcessOptions = {}) =>
      new WorkerProcess(home.path, {
        ...options,
        args: ['--token-file', file, ...(options.args ?? [])],
      }),
    connect: async (
      worker: WorkerProcess,
      clientId: string = installation,
      hello?: Parameters<typeof WireClient.connect>[3],
    ) => await WireClient.connect((await worker.listening()).url, { token }, clientId, hello),
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}
