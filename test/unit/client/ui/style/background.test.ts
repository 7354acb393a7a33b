import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { keyNames } from '../../../../../client/ui/keys/key-name.ts';
import {
  askBackground,
  backgroundOfEnvironment,
} from '../../../../../client/ui/style/background.ts';
import { lookOfEnvironment } from '../../../../../client/ui/style/look.ts';
import { createPainter, type Rgb } from '../../../../../client/ui/style/painter.ts';
import { theme } from '../../../../../client/ui/style/theme.ts';

test.each([
  [{ COLORFGBG: '0;15' }, 'light'],
  [{ COLORFGBG: '0;default;15' }, 'light'],
  [{ COLORFGBG: '15;0' }, 'dark'],
  [{ COLORFGBG: '12;8' }, 'dark'],
  [{ COLORFGBG: 'default;default' }, undefined],
  [{ COLORFGBG: '15;0', TELETRAIN_BACKGROUND: 'light' }, 'light'],
  [{ TELETRAIN_BACKGROUND: 'pink' }, undefined],
  [{}, undefined],
])('%j tells of a background that is %s', (environment, background) =>
  expect(backgroundOfEnvironment(environment)).toBe(background),
);

/** A terminal that answers what it is asked. */
class AnsweringTerminal {
  readonly input = new PassThrough();

  readonly #answer: string;

  constructor(answer: string) {
    this.#answer = answer;
  }

  ask(withinMs?: number) {
    const stdin = Object.assign(this.input, { isTTY: true, setRawMode: () => this.input });
    const write = () => {
      for (const character of this.#answer) this.input.write(character);
    };
    return askBackground(
      stdin as unknown as NodeJS.ReadStream, // as much of one as is used
      { isTTY: true, write } as unknown as NodeJS.WriteStream, // likewise
      withinMs,
    );
  }
}

test.each([
  ['\x1b]11;rgb:ffff/fdfd/f6f6\x1b\\\x1b[?62;22c', 'light'],
  ['\x1b]11;rgb:fa/f0/e6\x07\x1b[?1;2c', 'light'],
  ['\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\\x1b[?62c', 'dark'],
  ['\x1b]11;rgba:ffff/ffff/ffff/8000\x1b\\\x1b[?62c', 'light'],
  ['\x1b[?1;2c', undefined],
])('a terminal that answers %j is %s', async (answer, background) => {
  const terminal = new AnsweringTerminal(answer);
  expect(await terminal.ask(60_000)).toBe(background);
  expect(terminal.input.read()).toBe(null);
});

test('a terminal that answers nothing costs a moment, and what was typed meanwhile is not lost', async () => {
  const silent = new AnsweringTerminal('q');
  expect(await silent.ask(20)).toBe(undefined);
  expect(String(silent.input.read())).toBe('q');
  const answering = new AnsweringTerminal('\x1b]11;rgb:00/00/00\x07?\x1b[?1;2c');
  expect(await answering.ask(60_000)).toBe('dark');
  expect(String(answering.input.read())).toBe('?');
});

test('an answer that comes too late presses no key', () => {
  const none = {} as Parameters<typeof keyNames>[1]; // no special key is down
  expect(keyNames('11;rgb:ffff/ffff/ffff', none)).toEqual([]);
  expect(keyNames(']11;rgb:ff/ff/ff', none)).toEqual([]);
  expect(keyNames('[?62;22c', none)).toEqual([]);
  expect(keyNames('11', none)).toEqual(['1', '1']);
});

const luminance = (rgb: Rgb): number => {
  const [red = 0, green = 0, blue = 0] = rgb.map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (a: Rgb, b: Rgb): number => {
  const [dark = 0, bright = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (bright + 0.05) / (dark + 0.05);
};
const words = Object.entries(theme).filter(([name]) => name !== 'faint' && name !== 'trainRaw');

test.each(words)('%s can be read on black and on white', (_, { rgb, rgbOnLight }) => {
  // Without a colour it is the terminal's own foreground.
  if (rgb) expect(contrast(rgb, [0, 0, 0])).toBeGreaterThan(4.5);
  if (rgb) expect(contrast(rgbOnLight ?? rgb, [255, 255, 255])).toBeGreaterThan(4.5);
});

test('a light background has colours of its own, and the environment goes before the answer', () => {
  const light = createPainter(24, 'light').paint('x', 'warning');
  expect(light).not.toBe(createPainter(24).paint('x', 'warning'));
  const environment = { TERM: 'xterm', COLORTERM: 'truecolor' };
  expect(lookOfEnvironment(environment, 'linux', 'light').painter.paint('x', 'warning')).toBe(
    light,
  );
  expect(
    lookOfEnvironment({ ...environment, COLORFGBG: '15;0' }, 'linux', 'light').painter.paint(
      'x',
      'warning',
    ),
  ).not.toBe(light);
});
