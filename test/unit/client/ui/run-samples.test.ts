import { expect, test } from 'vitest';
import { openLiveRun } from './live-run.ts';
import { sampleEvent } from './scripted-run.ts';

test('earlier samples can be looked at, and the newest are followed again', async () => {
  await using open = openLiveRun({ columns: 160, rows: 48 });
  const { terminal } = open;
  await terminal.waitFor('12/12');
  await terminal.press('[', '[');
  await terminal.waitFor('samples  step 2,000');
  await terminal.press(']', ']', ']');
  await terminal.waitFor('samples  step 2,400');
});

test('digits are seen while they are written, and the sample takes their place', async () => {
  await using open = openLiveRun({ columns: 160, rows: 48 });
  const { run, terminal } = open;
  await terminal.waitFor('samples  step 2,400');
  const whole = new Uint8Array(28 * 28).fill(255);
  const draw = (rows: number) =>
    run.draw({
      step: 2600,
      epoch: 4,
      name: 'completions',
      count: 1,
      height: 28,
      width: 28,
      columns: 1,
      givenRows: 14,
      rows,
      pixels: () => whole.map((grey, at) => (at < rows * 28 ? grey : 0)),
    });
  const rowsOfPixels = () => terminal.rows.filter((row) => row.includes('▀'.repeat(28))).length;
  draw(16);
  await terminal.waitFor(/samples {2}step 2,600[\s\S]*drawing row 17 of 28/);
  // Two rows of pixels in a row of cells; what is not drawn yet is blank.
  expect(rowsOfPixels()).toBe(8);
  draw(24);
  await terminal.waitFor('drawing row 25 of 28');
  expect(rowsOfPixels()).toBe(12);
  // Who looks at an earlier sample goes on looking at it.
  await terminal.press('[');
  await terminal.waitFor('samples  step 2,200');
  expect(terminal.text).not.toContain('drawing row');
  await terminal.press(']');
  await terminal.waitFor('drawing row 25 of 28');
  run.push(sampleEvent(2600, 4, 1, () => 255));
  await terminal.waitFor(
    (screen) =>
      screen.includes('13/13') && screen.includes('step 2,600') && !screen.includes('drawing row'),
  );
  expect(rowsOfPixels()).toBe(14);
});

test('a sample that was drawn at once is shown row by row, says so, and then stays whole', async () => {
  await using open = openLiveRun({ columns: 160, rows: 48 });
  const { run, terminal } = open;
  await terminal.waitFor('12/12');
  const metric = { type: 'metric', step: 2600, epoch: 4, split: 'train', per: 'step' } as const;
  run.push({ ...metric, name: 'loss', value: 80 });
  run.push(sampleEvent(2600, 4, 1, () => 255));
  const rowsOfPixels = (screen: string) =>
    screen.split('\n').filter((row) => row.includes('▀'.repeat(28))).length;
  await terminal.waitFor(
    (screen) => screen.includes('shown row by row') && rowsOfPixels(screen) < 14,
  );
  await terminal.waitFor(
    (screen) => !screen.includes('shown row by row') && rowsOfPixels(screen) === 14,
  );
});

test('a half drawn sample vanishes when nobody tells of it any more', async () => {
  await using open = openLiveRun({ columns: 160, rows: 48 });
  const { run, terminal } = open;
  const facts = { step: 2600, epoch: 4, name: 'completions', count: 1, columns: 1, givenRows: 1 };
  run.draw({ ...facts, height: 4, width: 2, rows: 2, pixels: () => new Uint8Array(8) });
  await terminal.waitFor('drawing row 3 of 4');
  run.draw(undefined);
  await terminal.waitFor(
    (screen) => screen.includes('samples  step 2,400') && screen.includes('12/12'),
  );
});
