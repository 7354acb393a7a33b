import { type IPty, spawn } from '@lydell/node-pty';
import { TerminalScreen } from '../../unit/client/ui/terminal-screen.ts';

export interface PtyOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly cwd?: string;
  /** Added to a small environment without colours' or CI's variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A program on a real pseudo-terminal, its screen read back through an emulator. */
export class PtyTerminal extends TerminalScreen implements AsyncDisposable {
  readonly #process: IPty;
  /** Everything the program wrote, escape sequences and all. */
  written = '';
  readonly exited: Promise<{ exitCode: number; signal: number }>;
  #over = false;

  constructor(file: string, args: readonly string[], options: PtyOptions = {}) {
    const { columns = 100, rows = 30 } = options;
    super(columns, rows, { convertEol: false });
    const { PATH = '', HOME = '', TMPDIR } = process.env;
    this.#process = spawn(file, [...args], {
      name: 'xterm-256color',
      cols: columns,
      rows,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: {
        PATH,
        HOME,
        ...(TMPDIR === undefined ? {} : { TMPDIR }),
        TERM: 'xterm-256color',
        COLORTERM: 'truecolor',
        LANG: 'C.UTF-8',
        ...options.env,
      },
    });
    this.#process.onData((data) => {
      this.written += data;
      this.xterm.write(data);
    });
    this.exited = new Promise((resolve) => {
      this.#process.onExit(({ exitCode, signal }) => {
        this.#over = true;
        // What the emulator was given before is shown before anybody looks at the last screen.
        this.xterm.write('', () => resolve({ exitCode, signal: signal ?? 0 }));
      });
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Resolves when the program reads keys one by one; before that, Ctrl-C is a signal. */
  async waitForKeys(timeoutMs = 20_000): Promise<void> {
    const end = Date.now() + timeoutMs;
    while (!this.written.includes('\x1b[?2004h')) {
      if (Date.now() > end) throw new Error(`No key was ever read:\n${this.text}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  press(...sequences: string[]): void {
    for (const sequence of sequences) this.#process.write(sequence);
  }

  resize(columns: number, rows: number): void {
    this.xterm.resize(columns, rows);
    this.#process.resize(columns, rows);
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.#process.kill('SIGKILL');
    await this.exited;
    this.dispose();
  }
}
