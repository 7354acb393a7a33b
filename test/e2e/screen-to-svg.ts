import type { IBufferCell, Terminal } from '@xterm/headless';

/**
 * The screen of a terminal as an SVG picture, cell by cell with its colours: for README, and to
 * look at what a test saw. Block elements and braille are drawn as shapes, so that the picture does
 * not depend on the viewer's font.
 */

export interface SvgOptions {
  /** In the bar above the screen; absent: no bar. */
  readonly title?: string;
  readonly background?: string;
  readonly foreground?: string;
}

const cellWidth = 8.4;
const cellHeight = 17;
const padding = 14;
const barHeight = 30;

/** The 16 colours: muted, as current terminals have them. */
const ansi16 = [
  '#21252e',
  '#e06c75',
  '#8cc37f',
  '#e0b668',
  '#61a4ef',
  '#c27fd7',
  '#56b6c2',
  '#c6ccd7',
  '#5f6775',
  '#e86871',
  '#98d08b',
  '#e6be64',
  '#74b2f5',
  '#cf94e0',
  '#6cc7d2',
  '#f2f4f8',
];
const cube = [0, 95, 135, 175, 215, 255];

const hex = (red: number, green: number, blue: number): string =>
  `#${[red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('')}`;

function paletteColour(index: number): string {
  if (index < 16) return ansi16[index] ?? '#ffffff';
  if (index >= 232)
    return hex(8 + 10 * (index - 232), 8 + 10 * (index - 232), 8 + 10 * (index - 232));
  const at = index - 16;
  return hex(cube[Math.floor(at / 36)] ?? 0, cube[Math.floor(at / 6) % 6] ?? 0, cube[at % 6] ?? 0);
}

interface Style {
  readonly foreground: string;
  readonly background: string;
  readonly bold: boolean;
  readonly underline: boolean;
  readonly opacity: number;
}

function styleOf(cell: IBufferCell, defaults: { foreground: string; background: string }): Style {
  const rgb = (colour: number) => `#${colour.toString(16).padStart(6, '0')}`;
  let foreground = cell.isFgRGB()
    ? rgb(cell.getFgColor())
    : cell.isFgPalette()
      ? paletteColour(cell.getFgColor())
      : defaults.foreground;
  let background = cell.isBgRGB()
    ? rgb(cell.getBgColor())
    : cell.isBgPalette()
      ? paletteColour(cell.getBgColor())
      : defaults.background;
  if (cell.isInverse()) [foreground, background] = [background, foreground];
  return {
    foreground,
    background,
    bold: cell.isBold() !== 0,
    underline: cell.isUnderline() !== 0,
    opacity: cell.isDim() ? 0.6 : 1,
  };
}

const escapeXml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
const number = (value: number): string => String(Math.round(value * 100) / 100);

/** Horizontal and vertical strokes of box drawing characters, from the cell's middle: up, right, down, left. */
const boxStrokes: Readonly<Record<string, string>> = {
  '─': 'rl',
  '│': 'ud',
  '┤': 'udl',
  '┬': 'rld',
  '└': 'ur',
  '┈': 'rl',
  '━': 'RL',
};
const corners: Readonly<Record<string, [number, number]>> = {
  '╭': [1, 1],
  '╮': [-1, 1],
  '╰': [1, -1],
  '╯': [-1, -1],
};
const eighths = '▁▂▃▄▅▆▇█';

/** The dots of a braille character as points of a path; undefined for any other character. */
function brailleDots(character: string, x: number, y: number): string | undefined {
  const bits = (character.codePointAt(0) ?? 0) - 0x2800;
  if (bits < 0 || bits > 0xff) return undefined;
  const dots = [
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 0],
    [1, 1],
    [1, 2],
    [0, 3],
    [1, 3],
  ] as const;
  return dots
    .filter((_, bit) => bits & (1 << bit))
    .map(
      ([column, row]) =>
        `M${number(x + cellWidth * (0.25 + column * 0.5))} ${number(y + cellHeight * (0.125 + row * 0.25))}h0`,
    )
    .join('');
}

/** Shapes for characters whose looks depend most on a font; undefined for ordinary text. */
function shapeOf(character: string, x: number, y: number, style: Style): string | undefined {
  const { foreground, opacity } = style;
  const fill = `fill="${foreground}"${opacity < 1 ? ` opacity="${opacity}"` : ''}`;
  const rectangle = (left: number, top: number, width: number, height: number) =>
    `<rect x="${number(x + left)}" y="${number(y + top)}" width="${number(width)}" height="${number(height)}" ${fill}/>`;
  if (character === '▀') return rectangle(0, 0, cellWidth + 0.15, cellHeight / 2);
  if (character === '▄') return rectangle(0, cellHeight / 2, cellWidth + 0.15, cellHeight / 2);
  const eighth = eighths.indexOf(character);
  if (eighth >= 0)
    return rectangle(
      0,
      cellHeight * (1 - (eighth + 1) / 8),
      cellWidth,
      (cellHeight * (eighth + 1)) / 8,
    );
  const [middleX, middleY] = [x + cellWidth / 2, y + cellHeight / 2];
  const stroke = `stroke="${foreground}" fill="none"${opacity < 1 ? ` opacity="${opacity}"` : ''}`;
  const corner = corners[character];
  if (corner) {
    const [across, down] = corner;
    const endX = middleX + (across * cellWidth) / 2;
    const endY = middleY + (down * cellHeight) / 2;
    return `<path d="M${number(middleX)} ${number(endY)}V${number(middleY + down * 4)}Q${number(middleX)} ${number(middleY)} ${number(middleX + across * 4)} ${number(middleY)}H${number(endX)}" ${stroke}/>`;
  }
  const strokes = boxStrokes[character];
  if (strokes) {
    const ends = { u: [0, -1], d: [0, 1], l: [-1, 0], r: [1, 0] } as const;
    const path = [...strokes.toLowerCase()]
      .map((direction) => {
        const [across, down] = ends[direction as keyof typeof ends]; // the letters of the table
        return `M${number(middleX)} ${number(middleY)}L${number(middleX + (across * cellWidth) / 2)} ${number(middleY + (down * cellHeight) / 2)}`;
      })
      .join('');
    const heavy = strokes !== strokes.toLowerCase();
    return `<path d="${path}" ${stroke}${heavy ? ' stroke-width="2.6"' : ''}${character === '┈' ? ' stroke-dasharray="1.4 2.8"' : ''}/>`;
  }
  return undefined;
}

const sameStyle = (a: Style, b: Style): boolean =>
  a.foreground === b.foreground &&
  a.background === b.background &&
  a.bold === b.bold &&
  a.underline === b.underline &&
  a.opacity === b.opacity;

/** Draws what `terminal` shows now. */
export function screenToSvg(terminal: Terminal, options: SvgOptions = {}): string {
  const background = options.background ?? '#171a21';
  const foreground = options.foreground ?? '#d4d9e2';
  const top = padding + (options.title === undefined ? 0 : barHeight);
  const width = terminal.cols * cellWidth + padding * 2;
  const height = terminal.rows * cellHeight + padding + top;
  const parts: string[] = [];
  const dotPaths = new Map<string, string>();
  const buffer = terminal.buffer.active;
  for (let row = 0; row < terminal.rows; row += 1) {
    const line = buffer.getLine(buffer.viewportY + row);
    if (!line) continue;
    const y = top + row * cellHeight;
    let run: { text: string; start: number; cells: number; style: Style } | undefined;
    const flush = () => {
      if (!run) return;
      const { text, start, cells, style } = run;
      const x = padding + start * cellWidth;
      if (style.background !== background)
        parts.push(
          `<rect x="${number(x)}" y="${number(y)}" width="${number(cells * cellWidth + 0.15)}" height="${cellHeight}" fill="${style.background}"/>`,
        );
      if (text.trim() !== '') {
        parts.push(
          `<text x="${number(x)}" y="${number(y + 12.6)}" textLength="${number(cells * cellWidth)}" fill="${style.foreground}"${style.bold ? ' font-weight="bold"' : ''}${style.underline ? ' text-decoration="underline"' : ''}${style.opacity < 1 ? ` opacity="${style.opacity}"` : ''}>${escapeXml(text)}</text>`,
        );
      }
      run = undefined;
    };
    for (let column = 0; column < terminal.cols; column += 1) {
      const cell = line.getCell(column);
      if (!cell || cell.getWidth() === 0) continue;
      const style = styleOf(cell, { foreground, background });
      const character = cell.getChars() || ' ';
      const x = padding + column * cellWidth;
      const dots = brailleDots(character, x, y);
      if (dots !== undefined) {
        flush();
        // One path a colour: a chart has thousands of dots.
        const key = `stroke="${style.foreground}" opacity="${style.opacity}"`;
        dotPaths.set(key, (dotPaths.get(key) ?? '') + dots);
        continue;
      }
      const shape = shapeOf(character, x, y, style);
      if (shape !== undefined) {
        flush();
        if (style.background !== background)
          parts.push(
            `<rect x="${number(x)}" y="${number(y)}" width="${number(cellWidth + 0.15)}" height="${cellHeight}" fill="${style.background}"/>`,
          );
        parts.push(shape);
        continue;
      }
      // A space of the same ground belongs to the words around it only within one run.
      if (!run || !sameStyle(run.style, style)) {
        flush();
        run = { text: '', start: column, cells: 0, style };
      }
      run.text += character;
      run.cells += cell.getWidth();
    }
    flush();
  }
  const bar =
    options.title === undefined
      ? ''
      : `${['#ef6a5e', '#f5bd4f', '#61c454'].map((colour, index) => `<circle cx="${22 + index * 20}" cy="22" r="6" fill="${colour}"/>`).join('')}<text x="${number(width / 2)}" y="26" text-anchor="middle" fill="#8a93a3">${escapeXml(options.title)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${number(width)}" height="${number(height)}" viewBox="0 0 ${number(width)} ${number(height)}" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" xml:space="preserve">`,
    `<rect width="100%" height="100%" rx="10" fill="${background}"/>${bar}`,
    ...parts,
    ...[...dotPaths].map(
      ([key, path]) => `<path d="${path}" ${key} stroke-width="2.7" stroke-linecap="round"/>`,
    ),
    '</svg>\n',
  ].join('\n');
}
