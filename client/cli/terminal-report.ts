import process from 'node:process';

export interface TerminalReport {
  readonly interactive: boolean;
  readonly columns?: number;
  readonly rows?: number;
  /** Bits of colour: 1 (none), 4, 8 or 24. */
  readonly colourBits: number;
  readonly unicode: boolean;
  readonly summary: string;
}

/** What this terminal can show, and why it is not more. */
export function describeTerminal(
  environment: NodeJS.ProcessEnv = process.env,
  output: NodeJS.WriteStream = process.stdout,
): TerminalReport {
  const interactive = Boolean(output.isTTY && process.stdin.isTTY) && environment.TERM !== 'dumb';
  const colourBits = environment.NO_COLOR || !output.isTTY ? 1 : output.getColorDepth(environment);
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  const unicode = process.platform === 'win32' || /utf-?8/i.test(locale);
  const size = output.isTTY ? `${output.columns}x${output.rows}` : 'no terminal: plain text';
  const parts = [
    size,
    environment.NO_COLOR
      ? 'no colour (NO_COLOR is set)'
      : colourBits === 1
        ? 'no colour'
        : `${2 ** colourBits} colours`,
    unicode ? 'Unicode' : `no Unicode (the locale is "${locale}"; set LANG to one with UTF-8)`,
  ];
  if (output.isTTY && (output.columns < 60 || output.rows < 15)) {
    parts.push('small: the dashboard shows all from 60x15 up');
  }
  return {
    interactive,
    ...(output.isTTY ? { columns: output.columns, rows: output.rows } : {}),
    colourBits,
    unicode,
    summary: parts.join(', '),
  };
}
