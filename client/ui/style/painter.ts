import type { Background } from './background.ts';
import { type StyleDefinition, type StyleName, theme } from './theme.ts';

/**
 * Bits of colour a terminal is given: 0 no colour (bold, dim and inverse stay), 4 the 16 colours,
 * 8 the 256, 24 truecolor. `none` is a terminal that understands no escape at all.
 */
export type ColourDepth = 'none' | 0 | 4 | 8 | 24;

export interface Painter {
  readonly depth: ColourDepth;
  paint(text: string, style: StyleName): string;
  /**
   * The escape sequence that sets colours for pictures, of the foreground, the background or both;
   * empty where there are fewer than 256. `\x1b[39;49m` ends them.
   */
  colours(foreground: Rgb | undefined, background: Rgb | undefined): string;
}

/** Nothing is told apart by its colour. */
export const isColourless = ({ depth }: Painter): boolean => depth === 0 || depth === 'none';

export type Rgb = readonly [red: number, green: number, blue: number];

const cubeLevels = [0, 95, 135, 175, 215, 255];

/** The nearest of xterm's 256 colours: of its 6x6x6 cube or of its 24 greys. */
export function nearest256([red, green, blue]: Rgb): number {
  const level = (value: number) =>
    value < 48 ? 0 : value < 115 ? 1 : Math.min(5, Math.floor((value - 35) / 40));
  const [r, g, b] = [level(red), level(green), level(blue)];
  const grey = Math.max(0, Math.min(23, Math.round(((red + green + blue) / 3 - 8) / 10)));
  const distance = (x: number, y: number, z: number) =>
    (x - red) ** 2 + (y - green) ** 2 + (z - blue) ** 2;
  const cube = distance(cubeLevels[r] ?? 0, cubeLevels[g] ?? 0, cubeLevels[b] ?? 0);
  const greyValue = 8 + 10 * grey;
  return distance(greyValue, greyValue, greyValue) < cube ? 232 + grey : 16 + 36 * r + 6 * g + b;
}

const colourCode = (depth: 8 | 24, rgb: Rgb, ground: 38 | 48): string =>
  depth === 24 ? `${ground};2;${rgb[0]};${rgb[1]};${rgb[2]}` : `${ground};5;${nearest256(rgb)}`;

function sequences(
  definition: StyleDefinition,
  depth: ColourDepth,
  background: Background,
): [start: string, end: string] {
  if (depth === 'none') return ['', ''];
  const start: string[] = [];
  const end: string[] = [];
  if (definition.bold) {
    start.push('1');
    end.push('22');
  }
  if (definition.underline) {
    start.push('4');
    end.push('24');
  }
  if (definition.inverse) {
    start.push('7');
    end.push('27');
  }
  if (depth === 0) {
    if (definition.dim) {
      start.push('2');
      end.push('22');
    }
  } else if (definition.rgb) {
    const rgb = background === 'light' ? (definition.rgbOnLight ?? definition.rgb) : definition.rgb;
    if (depth !== 4) start.push(colourCode(depth, rgb, 38));
    else if (definition.ansi16 !== undefined) start.push(String(definition.ansi16));
    end.push('39');
  }
  return start.length === 0 ? ['', ''] : [`\x1b[${start.join(';')}m`, `\x1b[${end.join(';')}m`];
}

/** A painter for one colour depth and background. */
export function createPainter(depth: ColourDepth, background: Background = 'dark'): Painter {
  const names = Object.keys(theme) as StyleName[]; // the theme is a constant: it has these keys and no others
  const table = new Map(names.map((name) => [name, sequences(theme[name], depth, background)]));
  return {
    depth,
    paint(text, style) {
      const [start, end] = table.get(style) ?? ['', ''];
      return start === '' || text === '' ? text : start + text + end;
    },
    colours(foreground, background) {
      if (depth !== 8 && depth !== 24) return '';
      const codes = [
        ...(foreground ? [colourCode(depth, foreground, 38)] : []),
        ...(background ? [colourCode(depth, background, 48)] : []),
      ];
      return codes.length === 0 ? '' : `\x1b[${codes.join(';')}m`;
    },
  };
}
