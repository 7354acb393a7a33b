import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';

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

export interface CommandEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly home: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** Given on standard input, which then ends. */
  readonly input?: string;
}

/** A real `teletrain …` without a terminal. */
export class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<CommandEnd>;
  stdout = '';
  stderr = '';
  #listeners: (() => void)[] = [];

  constructor(args: readonly string[], options: CommandOptions) {
    const environment = { ...process.env, ...options.environment, TELETRAIN_HOME: options.home };
    this.child = spawn(process.execPath, [program, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environment,
    });
    this.child.stdin?.end(options.input ?? '');
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      for (const listener of this.#listeners) listener();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      for (const listener of this.#listeners) listener();
    });
    this.ended = new Promise((done) => {
      this.child.once('close', (code) => done({ code, stdout: this.stdout, stderr: this.stderr }));
    });
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
export function teletrain(args: readonly string[], options: CommandOptions): Promise<CommandEnd> {
  return new Command(args, options).ended;
}
