import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPainter } from '../../../../../client/ui/style/painter.ts';
import { paintBetween, paintLine } from '../../../../../client/ui/text/line.ts';
import {
  displayWidth,
  printable,
  toAscii,
  truncate,
  truncateStart,
  wrapWords,
} from '../../../../../client/ui/text/width.ts';

test.each([
  ['abc', 3],
  ['损失', 4],
  ['é', 1],
  ['🚀', 2],
  ['👩‍🔬', 2],
  ['─╮⣿▀●', 5],
  ['', 0],
])('%s takes %d cells', (text, cells) => expect(displayWidth(text)).toBe(cells));

const anyText = fc.string({ unit: 'grapheme', maxLength: 40 }).map(printable);

test('what is cut to a width has at most that width, and exactly that as a row', () => {
  fc.assert(
    fc.property(anyText, fc.nat(50), (text, width) => {
      expect(displayWidth(truncate(text, width))).toBeLessThanOrEqual(width);
      expect(displayWidth(truncateStart(text, width))).toBeLessThanOrEqual(width);
      expect(displayWidth(paintLine([[text], ['x']], width, createPainter('none')))).toBe(width);
      expect(displayWidth(paintBetween([[text]], [['right']], width, createPainter('none')))).toBe(
        width,
      );
    }),
  );
});

test('wrapping keeps every word and no line is too long', () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { maxLength: 30 }),
      fc.integer({ min: 1, max: 30 }),
      (words, width) => {
        const lines = wrapWords(words.join(' '), width);
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
        expect(lines.join('').replaceAll(' ', '')).toBe(words.join(''));
      },
    ),
  );
});

test('text from outside cannot move the cursor, change colours or turn the writing direction', () => {
  expect(printable('a\x1b[2Jb\x07c\u202ed\n')).toBe('a·[2Jb·c·d ');
});

test('ASCII keeps escape sequences and widths', () => {
  expect(toAscii('\x1b[1m…损–\x1b[22m')).toBe('\x1b[1m~??-\x1b[22m');
});
