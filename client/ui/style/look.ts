import { type Background, backgroundOfEnvironment } from './background.ts';
import { type ColourDepth, createPainter, type Painter } from './painter.ts';

/** The characters drawn with: Unicode, or plain ASCII where a terminal or its font lacks it. */
export interface Glyphs {
  readonly unicode: boolean;
  readonly horizontal: string;
  readonly vertical: string;
  readonly topLeft: string;
  readonly topRight: string;
  readonly bottomLeft: string;
  readonly bottomRight: string;
  readonly barFull: string;
  readonly barEmpty: string;
  readonly guide: string;
  readonly dot: string;
  readonly ring: string;
  readonly best: string;
  readonly star: string;
  readonly notFinite: string;
  readonly pointer: string;
  readonly separator: string;
  readonly check: string;
  readonly cross: string;
  readonly warning: string;
  readonly arrowDown: string;
  readonly left: string;
  readonly right: string;
  readonly ellipsis: string;
  readonly swatch: string;
  /** Of a curve that is dashed, where there is no colour. */
  readonly dashedSwatch: string;
}

export const unicodeGlyphs: Glyphs = {
  unicode: true,
  horizontal: '─',
  vertical: '│',
  topLeft: '╭',
  topRight: '╮',
  bottomLeft: '╰',
  bottomRight: '╯',
  barFull: '━',
  barEmpty: '─',
  guide: '┈',
  dot: '●',
  ring: '○',
  best: '▲',
  star: '★',
  notFinite: '×',
  pointer: '▸',
  separator: '·',
  check: '✓',
  cross: '✗',
  warning: '▲',
  arrowDown: '↓',
  left: '◂',
  right: '▸',
  ellipsis: '…',
  swatch: '━',
  dashedSwatch: '╍',
};

export const asciiGlyphs: Glyphs = {
  unicode: false,
  horizontal: '-',
  vertical: '|',
  topLeft: '+',
  topRight: '+',
  bottomLeft: '+',
  bottomRight: '+',
  barFull: '=',
  barEmpty: '-',
  guide: ' ',
  dot: '*',
  ring: 'o',
  best: '^',
  star: '*',
  notFinite: 'x',
  pointer: '>',
  separator: '-',
  check: 'v',
  cross: 'x',
  warning: '!',
  arrowDown: 'v',
  left: '<',
  right: '>',
  ellipsis: '~',
  swatch: '-',
  dashedSwatch: ':',
};

/** How things are drawn on this terminal: handed to every function that makes rows. */
export interface Look {
  readonly painter: Painter;
  readonly glyphs: Glyphs;
}

export function createLook(options: {
  depth: ColourDepth;
  unicode: boolean;
  background?: Background;
}): Look {
  return {
    painter: createPainter(options.depth, options.background),
    glyphs: options.unicode ? unicodeGlyphs : asciiGlyphs,
  };
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What the terminal shows, from its environment. `NO_COLOR` (no-color.org) and `FORCE_COLOR` win
 * over everything; `TELETRAIN_ASCII=1` asks for plain characters.
 * @param asked what the terminal answered of its background; the environment goes before it.
 */
export function lookOfEnvironment(
  environment: Environment,
  platform: NodeJS.Platform = process.platform,
  asked?: Background,
): Look {
  return createLook({
    background: backgroundOfEnvironment(environment) ?? asked ?? 'dark',
    depth: colourDepth(environment, platform),
    unicode: showsUnicode(environment, platform),
  });
}

function colourDepth(environment: Environment, platform: NodeJS.Platform): ColourDepth {
  const terminal = environment.TERM ?? '';
  if (terminal === 'dumb') return 'none';
  if (environment.NO_COLOR) return 0;
  switch (environment.FORCE_COLOR) {
    case '0':
    case 'false':
      return 0;
    case '1':
      return 4;
    case '2':
      return 8;
    case '3':
      return 24;
  }
  if (/^(truecolor|24bit)$/i.test(environment.COLORTERM ?? '')) return 24;
  if (
    environment.WT_SESSION !== undefined ||
    /^(xterm-kitty|xterm-ghostty|alacritty|foot|wezterm)/.test(terminal)
  )
    return 24;
  if (/^(iTerm\.app|vscode|WezTerm|ghostty)$/.test(environment.TERM_PROGRAM ?? '')) return 24;
  if (platform === 'win32') return 24;
  if (/-?256(color)?$/.test(terminal)) return 8;
  return 4;
}

function showsUnicode(environment: Environment, platform: NodeJS.Platform): boolean {
  if (
    environment.TELETRAIN_ASCII !== undefined &&
    environment.TELETRAIN_ASCII !== '' &&
    environment.TELETRAIN_ASCII !== '0'
  )
    return false;
  // The Linux console has no braille in its font; a dumb terminal may have nothing.
  if (environment.TERM === 'linux' || environment.TERM === 'dumb') return false;
  if (platform === 'win32')
    return environment.WT_SESSION !== undefined || environment.TERM_PROGRAM === 'vscode';
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  // An unset locale says nothing; "C" and "POSIX" say no.
  return !/^(C|POSIX)$/.test(locale);
}
