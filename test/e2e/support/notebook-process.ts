import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const saidSchema = z.union([z.object({ text: z.string() }), z.object({ ended: z.string() })]);

/** A notebook that runs in a real Jupyter kernel. */
export class NotebookProcess {
  readonly #child: ChildProcess;
  readonly #errors: string[] = [];
  /** What its cells have printed so far. */
  text = '';
  /** `ok`, or `error` when a cell raised. */
  readonly ended: Promise<string>;
  #listeners: (() => void)[] = [];

  constructor(options: {
    python: string;
    notebook: string;
    folder: string;
    environment: NodeJS.ProcessEnv;
  }) {
    const { python, notebook, folder, environment } = options;
    this.#child = spawn(python, [join(import.meta.dirname, 'run_notebook.py'), notebook, folder], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environment,
      cwd: folder,
    });
    const { stdout, stderr } = this.#child;
    if (!stdout || !stderr) throw new Error('the notebook has no output');
    createInterface({ input: stderr }).on('line', (line) => this.#errors.push(line));
    const lines = createInterface({ input: stdout });
    this.ended = new Promise((resolve) => {
      lines.on('line', (line) => {
        const said = saidSchema.parse(JSON.parse(line));
        if ('ended' in said) resolve(said.ended);
        else this.text += said.text;
        for (const listener of this.#listeners) listener();
      });
      this.#child.once('close', (code) => {
        resolve(
          `the kernel's program ended with code ${code}: ${this.#errors.slice(-20).join('\n')}`,
        );
        for (const listener of this.#listeners) listener();
      });
    });
  }

  /** Waits until the cells have printed what matches. Rejects when they end without it. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const match = new Promise<RegExpExecArray>((resolve) => {
      const look = () => {
        const found = pattern.exec(this.text);
        if (found) resolve(found);
      };
      this.#listeners.push(look);
      look();
    });
    const ended = this.ended.then((how) => {
      throw new Error(`the notebook ended (${how}) before it printed ${pattern}:\n${this.text}`);
    });
    return await Promise.race([match, ended]);
  }

  interrupt(): void {
    this.#child.stdin?.write('interrupt\n');
  }

  /** Ends the kernel too: it looks after its parent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.stdin?.end();
      this.#child.kill('SIGKILL');
    }
    await this.ended;
  }
}
