import xterm from '@xterm/headless';

/** The screen of a terminal emulator, to be read and waited for. */
export class TerminalScreen {
  readonly xterm: xterm.Terminal;

  /** @param options.convertEol where nothing else makes \r\n of \n, as a terminal's driver does. */
  constructor(columns: number, rows: number, options: { convertEol: boolean }) {
    this.xterm = new xterm.Terminal({
      cols: columns,
      rows,
      allowProposedApi: true,
      convertEol: options.convertEol,
      scrollback: 200,
    });
  }

  get onAlternateScreen(): boolean {
    return this.xterm.buffer.active.type === 'alternate';
  }

  /** Rows of the screen without trailing spaces. */
  get rows(): string[] {
    const buffer = this.xterm.buffer.active;
    return Array.from(
      { length: this.xterm.rows },
      (_, row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? '',
    );
  }
  get text(): string {
    return this.rows.join('\n');
  }

  /** Resolves when the screen shows `expected`; rejects with the screen when it does not in time. */
  async waitFor(
    expected: string | RegExp | ((screen: string) => boolean),
    timeoutMs = 5000,
  ): Promise<void> {
    const shows = () => {
      const screen = this.text;
      return typeof expected === 'function'
        ? expected(screen)
        : typeof expected === 'string'
          ? screen.includes(expected)
          : expected.test(screen);
    };
    if (shows()) return;
    await new Promise<void>((resolve, reject) => {
      const end = (error?: Error) => {
        clearTimeout(timer);
        subscription.dispose();
        if (error) reject(error);
        else resolve();
      };
      const timer = setTimeout(
        () => end(new Error(`The screen never showed ${String(expected)}:\n${this.text}`)),
        timeoutMs,
      );
      const subscription = this.xterm.onWriteParsed(() => {
        if (shows()) end();
      });
    });
  }

  dispose(): void {
    this.xterm.dispose();
  }
}
