import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { type ChildEnd, ChildOutput } from '../../integration/support/child-output.ts';

/** The compiled program. */
export const program = resolve(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'dist',
  'client',
  'cli',
  'main.js',
);

export interface CommandOptions {
  readonly home: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** Given on standard input, which then ends. */
  readonly input?: string;
}

/** A real `teletrain …` without a terminal. */
export class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<ChildEnd>;
  readonly #output: ChildOutput;
  #listeners: (() => void)[] = [];

  constructor(args: readonly string[], options: CommandOptions) {
    const environment = { ...process.env, ...options.environment, TELETRAIN_HOME: options.home };
    this.child = spawn(process.execPath, [program, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environment,
    });
    this.child.stdin?.end(options.input ?? '');
    this.#output = new ChildOutput(this.child, () => {
      for (const listener of this.#listeners) listener();
    });
    this.ended = this.#output.ended;
  }

  get stdout(): string {
    return this.#output.stdout;
  }

  get stderr(): string {
    return this.#output.stderr;
  }

  /** Waits until it has printed what matches, on either stream. Rejects when it ends without it. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const found = () => pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
    const match = new Promise<RegExpExecArray>((resolveMatch) => {
      const look = () => {
        const at = found();
        if (at) resolveMatch(at);
      };
      this.#listeners.push(look);
      look();
    });
    const ended = this.ended.then(({ code }) => {
      const last = found();
      if (last) return last;
      throw new Error(
        `it ended with ${code} before it printed ${pattern}:\n${this.stdout}\n${this.stderr}`,
      );
    });
    return await Promise.race([match, ended]);
  }
}

/** Runs `teletrain …` to its end. */
export function teletrain(args: readonly string[], options: CommandOptions): Promise<ChildEnd> {
  return new Command(args, options).ended;
}
