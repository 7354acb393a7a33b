import { PassThrough, Writable } from 'node:stream';
import type { Terminal } from '@xterm/headless';
import type { TeletrainClient } from '../../../../client/session/types.ts';
import { type RunDashboardOptions, runDashboard } from '../../../../client/ui/dashboard.tsx';
import type { ExitCode } from '../../../../shared/errors.ts';
import { TerminalScreen } from './terminal-screen.ts';

/** Names of keys as a terminal sends them. */
export const keySequences = {
  escape: '\x1b',
  enter: '\r',
  tab: '\t',
  backspace: '\x7f',
  up: '\x1b[A',
  down: '\x1b[B',
  right: '\x1b[C',
  left: '\x1b[D',
  ctrlC: '\x03',
  ctrlL: '\x0c',
  ctrlU: '\x15',
} as const;

class TerminalOutput extends Writable {
  readonly isTTY = true;
  readonly #terminal: Terminal;
  written = '';

  constructor(terminal: Terminal) {
    super({ decodeStrings: false });
    this.#terminal = terminal;
  }

  get columns(): number {
    return this.#terminal.cols;
  }
  get rows(): number {
    return this.#terminal.rows;
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    const text = chunk.toString();
    this.written += text;
    this.#terminal.write(text, done);
  }
}

class TerminalInput extends PassThrough {
  readonly isTTY = true;
  rawMode = false;

  setRawMode(mode: boolean): this {
    this.rawMode = mode;
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

/** A terminal without a process: what is written to `stdout` can be read back as a screen. */
export class TestTerminal extends TerminalScreen {
  readonly #output: TerminalOutput;
  readonly #input: TerminalInput;

  constructor(columns = 100, rows = 30) {
    super(columns, rows, { convertEol: true });
    this.#output = new TerminalOutput(this.xterm);
    this.#input = new TerminalInput();
  }

  get stdout(): NodeJS.WriteStream {
    return this.#output as unknown as NodeJS.WriteStream; // as much of one as Ink uses
  }
  get stdin(): NodeJS.ReadStream {
    return this.#input as unknown as NodeJS.ReadStream; // as much of one as Ink uses
  }
  /** Everything that was ever written, escape sequences and all. */
  get written(): string {
    return this.#output.written;
  }
  get rawMode(): boolean {
    return this.#input.rawMode;
  }

  /** Sends what keys send, one after the other as somebody types. */
  async press(...sequences: string[]): Promise<void> {
    for (const sequence of sequences) {
      this.#input.write(sequence);
      await new Promise((resolve) => setImmediate(resolve));
      // A lone Esc is told from the beginning of a sequence by the time that nothing follows it.
      if (sequence === keySequences.escape) await new Promise((resolve) => setTimeout(resolve, 60));
    }
  }

  resize(columns: number, rows: number): void {
    this.xterm.resize(columns, rows);
    this.#output.emit('resize');
  }
}

export interface OpenDashboard extends AsyncDisposable {
  readonly terminal: TestTerminal;
  /** Settles with the exit code when the dashboard is left. */
  readonly ended: Promise<ExitCode>;
}

export interface OpenOptions extends Omit<RunDashboardOptions, 'stdin' | 'stdout'> {
  readonly columns?: number;
  readonly rows?: number;
}

/** Opens the dashboard on a test terminal; leaving the scope leaves the dashboard. */
export function openDashboard(client: TeletrainClient, options: OpenOptions = {}): OpenDashboard {
  const { columns = 100, rows = 30, ...rest } = options;
  const terminal = new TestTerminal(columns, rows);
  const ended = runDashboard(client, {
    env: { TERM: 'xterm-256color', COLORTERM: 'truecolor' },
    ...rest,
    stdin: terminal.stdin,
    stdout: terminal.stdout,
  });
  let over = false;
  const watched = ended.finally(() => {
    over = true;
  });
  watched.catch(() => {}); // whoever awaits `ended` sees it
  return {
    terminal,
    ended: watched,
    async [Symbol.asyncDispose]() {
      while (!over) {
        await terminal.press(keySequences.ctrlC);
        await Promise.race([
          watched.catch(() => {}),
          new Promise((resolve) => setTimeout(resolve, 20)),
        ]);
      }
      terminal.dispose();
    },
  };
}
