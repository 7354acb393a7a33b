import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { decodeEvent, scanRecords } from '../../shared/journal.ts';
import { BadLine } from '../integration/proxy.ts';
import { temporaryHome, WorkerProcess } from '../integration/support/worker-process.ts';
import { pathOf, pythonOfClient } from './python.ts';

const python = pythonOfClient();
const engine = pathOf('../../worker/engine/main.ts');

type Step = { readonly step: string } & Readonly<Record<string, unknown>>;

/** A Python program that says each step before it takes it, and waits to be told to go on. */
class PythonProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = '';

  constructor(script: string, args: readonly string[]) {
    this.#child = spawn(python ?? '', [pathOf(script), ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = this.#child;
    if (!stdout || !stderr) throw new Error('the program has no output');
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    stderr.on('data', (text) => {
      this.#errors += String(text);
    });
  }

  /** The next step that it says, which must be this one. It waits until `goOn`. */
  async until(step: string): Promise<Step> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the program ended before "${step}": ${this.#errors}`);
    const said = JSON.parse(value) as Step;
    if (said.step !== step) throw new Error(`it said "${said.step}" and not "${step}"`);
    return said;
  }

  goOn(): void {
    this.#child.stdin?.write('\n');
  }

  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, 'close');
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended();
  }
}

const requestsOf = (line: BadLine, method: string): unknown[] =>
  line.frames.flatMap(({ kind, header }) => {
    const { id, method: asked } = header as { id: unknown; method: unknown };
    return kind === 'request' && asked === method ? [id] : [];
  });

async function journalOf(home: string, run: string) {
  const bytes = await readFile(join(home, 'runs', run, 'journal'));
  return scanRecords(bytes).records.map(({ body }) => decodeEvent(body));
}

test.runIf(python !== undefined)(
  'a client in Python, written from PROTOCOL.md, trains, follows, downloads and computes over a line that is cut again and again',
  async () => {
    await using home = await temporaryHome();
    await using worker = new WorkerProcess(home.path, {
      args: ['--parent-watch', '--engine-program', engine],
    });
    const { url, code } = await worker.listening();
    await using line = await BadLine.to(url);
    await using program = new PythonProgram('whole_session.py', [line.url, code, randomUUID()]);

    expect(await program.until('refused')).toMatchObject({ code: 'wrong-token' });
    program.goOn();

    // The answer to run.start is lost: the very next byte that the worker sends is the last one.
    await program.until('start');
    line.cutAfter(1);
    program.goOn();
    await program.until('follow');
    const [first, ...again] = requestsOf(line, 'run.start');
    expect(again).toEqual([first]);

    line.cutEach = (connection) => (connection < 7 ? 3_000 : Number.POSITIVE_INFINITY);
    line.cut();
    program.goOn();
    const followed = await program.until('followed');
    expect(followed.connections).toBeGreaterThan(5);
    expect(followed.state).toBe('done');
    const journal = await journalOf(home.path, 'from-python');
    expect(followed.events).toEqual(
      journal.map((event) => [event.seq, event.type, event.type === 'metric' ? event.value : null]),
    );
    expect(journal.filter(({ type }) => type === 'epoch')).toHaveLength(1);

    program.goOn();
    await program.until('download');
    line.cutAfter(5_000);
    program.goOn();
    const downloaded = await program.until('downloaded');
    expect(downloaded.connections).toBeGreaterThan(Number(followed.connections));
    const folder = join(
      home.path,
      'runs',
      'from-python',
      'checkpoints',
      String(downloaded.checkpoint),
    );
    for (const [name, sha256] of Object.entries(downloaded.files as Record<string, string>)) {
      const bytes = await readFile(join(folder, name));
      expect(createHash('sha256').update(bytes).digest('hex'), name).toBe(sha256);
    }

    // Cut in the middle of the first tensor that comes back.
    program.goOn();
    await program.until('tensors');
    line.cutAfter(400_000);
    program.goOn();
    const computed = await program.until('computed');
    expect(computed.connections).toBeGreaterThan(Number(downloaded.connections));
    expect(computed.refused).toBe('unknown-tensor');
    program.goOn();
    expect(await program.ended()).toBe(0);
  },
);
