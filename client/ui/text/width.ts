/**
 * How many terminal cells a text takes, and cutting it to a number of cells. Plain text only: no
 * escape sequences (styled text is a `Line`, whose spans are plain).
 */

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

const printableAscii = /^[\x20-\x7e]*$/;
const zeroWidth = /^[\p{Mark}\p{Default_Ignorable_Code_Point}]+$/u;
const emoji = /\p{Emoji_Presentation}|\u{fe0f}/u;

/** East Asian wide and fullwidth blocks (Unicode 16, UAX #11), as inclusive ranges. */
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18aff],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x3fffd],
];

function graphemeWidth(grapheme: string): number {
  const code = grapheme.codePointAt(0) ?? 0;
  if (code < 0x1100) return zeroWidth.test(grapheme) ? 0 : emoji.test(grapheme) ? 2 : 1;
  if (zeroWidth.test(grapheme)) return 0;
  if (emoji.test(grapheme)) return 2;
  return wideRanges.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

/** Cells that `text` takes. */
export function displayWidth(text: string): number {
  if (printableAscii.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** The longest beginning of `text` that takes at most `cells`. */
export function takeCells(text: string, cells: number): string {
  if (printableAscii.test(text)) return text.slice(0, Math.max(0, cells));
  let width = 0;
  let end = 0;
  for (const { segment, index } of graphemes.segment(text)) {
    width += graphemeWidth(segment);
    if (width > cells) break;
    end = index + segment.length;
  }
  return text.slice(0, end);
}

/** `text` in at most `cells`; where something is cut away, an ellipsis says so. */
export function truncate(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  return cells <= 0 ? '' : `${takeCells(text, cells - 1)}…`;
}

/** Keeps the end of `text` (of a path, the file), in at most `cells`. */
export function truncateStart(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  if (cells <= 0) return '';
  const parts = [...graphemes.segment(text)].map(({ segment }) => segment);
  let width = 0;
  let first = parts.length;
  while (first > 0 && width + graphemeWidth(parts[first - 1] ?? '') <= cells - 1) {
    first -= 1;
    width += graphemeWidth(parts[first] ?? '');
  }
  return `…${parts.slice(first).join('')}`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text from outside (a log, a worker's name) made safe to print: control characters and escapes become visible or spaces. */
export function printable(text: string): string {
  return text
    .replace(/\t/g, '  ')
    .replace(unprintable, (character) => (character === '\n' || character === '\r' ? ' ' : '·'));
}

/** Breaks at spaces into lines of at most `cells`; a word longer than a line is cut. */
export function wrapWords(text: string, cells: number): string[] {
  const room = Math.max(1, cells);
  const lines: string[] = [];
  let line = '';
  for (const given of text.split(/\s+/).filter((word) => word !== '')) {
    let word = given;
    while (displayWidth(word) > room) {
      if (line !== '') lines.push(line);
      // A wide character in a line of one cell would otherwise never be taken.
      const head = takeCells(word, room) || [...word][0] || '';
      lines.push(head);
      word = word.slice(head.length);
      line = '';
    }
    if (word === '') continue;
    const joined = line === '' ? word : `${line} ${word}`;
    if (displayWidth(joined) <= room) line = joined;
    else {
      lines.push(line);
      line = word;
    }
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}

const asciiReplacements: Readonly<Record<string, string>> = {
  '…': '~',
  '–': '-',
  '—': '-',
  '·': '.',
  '←': '<',
  '→': '>',
  '↑': '^',
  '↓': 'v',
};

/** For terminals without Unicode: every other character becomes one that they have. Takes escape sequences along. */
export function toAscii(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are left as they are
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  let ascii = '';
  for (const { segment } of graphemes.segment(text)) {
    ascii +=
      segment.charCodeAt(0) < 0x80
        ? segment
        : (asciiReplacements[segment] ?? '?'.repeat(graphemeWidth(segment)));
  }
  return ascii;
}
