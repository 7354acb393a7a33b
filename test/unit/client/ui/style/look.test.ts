import { expect, test } from 'vitest';
import { lookOfEnvironment } from '../../../../../client/ui/style/look.ts';
import { createPainter, nearest256 } from '../../../../../client/ui/style/painter.ts';

test.each([
  [{ TERM: 'xterm-256color', COLORTERM: 'truecolor' }, 24],
  [{ TERM: 'xterm-256color' }, 8],
  [{ TERM: 'screen-256color', TERM_PROGRAM: 'iTerm.app' }, 24],
  [{ TERM: 'xterm' }, 4],
  [{ TERM: 'dumb' }, 'none'],
  [{ TERM: 'xterm-256color', COLORTERM: 'truecolor', NO_COLOR: '1' }, 0],
  [{ TERM: 'xterm-256color', NO_COLOR: '' }, 8],
  [{ TERM: 'xterm', FORCE_COLOR: '3' }, 24],
])('%j gets %s bits of colour', (environment, depth) =>
  expect(lookOfEnvironment(environment, 'linux').painter.depth).toBe(depth),
);

test.each([
  [{ TERM: 'xterm', LANG: 'en_GB.UTF-8' }, true],
  [{ TERM: 'xterm', LANG: 'C' }, false],
  [{ TERM: 'linux', LANG: 'en_GB.UTF-8' }, false],
  [{ TERM: 'xterm', TELETRAIN_ASCII: '1' }, false],
])('%j has Unicode: %s', (environment, unicode) =>
  expect(lookOfEnvironment(environment, 'linux').glyphs.unicode).toBe(unicode),
);

test('the nearest of 256 colours is near', () => {
  expect(nearest256([0, 0, 0])).toBe(16);
  expect(nearest256([255, 255, 255])).toBe(231);
  expect(nearest256([255, 0, 0])).toBe(196);
  expect(nearest256([128, 128, 128])).toBe(244);
});

test('what has no colour is still told apart by weight', () => {
  const painter = createPainter(0);
  expect(painter.paint('x', 'strong')).toBe('\x1b[1mx\x1b[22m');
  expect(painter.paint('x', 'label')).toBe('\x1b[2mx\x1b[22m');
  expect(painter.paint('x', 'train')).toBe('x');
});
