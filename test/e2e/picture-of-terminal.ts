import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { screenToSvg } from './screen-to-svg.ts';
import { PtyTerminal } from './support/pty-terminal.ts';

/**
 * Takes a picture of a program's screen on a real pseudo-terminal, as README's pictures are made:
 *
 *   node test/e2e/picture-of-terminal.ts --out docs/dashboard.svg --columns 140 --rows 40 \
 *     --wait 'epoch 3/' --keys y,z -- node dist/client/cli/main.js attach last
 *
 * `--wait` is what the screen must show before the keys are pressed, `--until` what it must show
 * before the picture is taken. The program is then ended by SIGTERM: of a dashboard, the run goes on.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    columns: { type: 'string', default: '140' },
    rows: { type: 'string', default: '40' },
    wait: { type: 'string' },
    keys: { type: 'string', default: '' },
    until: { type: 'string' },
    title: { type: 'string', default: 'teletrain' },
    seconds: { type: 'string', default: '120' },
  },
});
const [file, ...args] = positionals;
if (file === undefined || values.out === undefined)
  throw new Error('give --out and, after --, a program');
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && entry[0].startsWith('TELETRAIN_'),
  ),
);
const limit = Number(values.seconds) * 1000;
await using terminal = new PtyTerminal(file, args, {
  columns: Number(values.columns),
  rows: Number(values.rows),
  cwd: process.cwd(),
  env: environment,
});
if (values.wait !== undefined) await terminal.waitFor(values.wait, limit);
for (const key of values.keys.split(',').filter((name) => name !== '')) {
  terminal.press(key);
  await new Promise((resolve) => setTimeout(resolve, 200));
}
if (values.until !== undefined) await terminal.waitFor(values.until, limit);
// The frame that shows it may still be on its way.
await new Promise((resolve) => setTimeout(resolve, 500));
await writeFile(values.out, screenToSvg(terminal.xterm, { title: values.title }));
terminal.kill('SIGTERM');
await terminal.exited;
