import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chartRows } from '../../../../../client/ui/charts/chart.ts';
import { Curve, type Points } from '../../../../../client/ui/charts/curve.ts';
import { createLook } from '../../../../../client/ui/style/look.ts';
import { seeded } from '../scripts.ts';

const plain = createLook({ depth: 'none', unicode: true });
const ascii = createLook({ depth: 'none', unicode: false });

function points(
  values: readonly number[],
  steps: readonly number[] = values.map((_, index) => index + 1),
): Points {
  return {
    length: values.length,
    values: Float64Array.from(values),
    steps: Float64Array.from(steps),
    times: Float64Array.from(steps),
  };
}

const curveOf = (values: readonly number[], steps?: readonly number[], smoothing = 0) =>
  new Curve().update(points(values, steps), smoothing);

const draw = (
  values: readonly number[],
  options: {
    width?: number;
    height?: number;
    logarithmic?: boolean;
    steps?: readonly number[];
    smoothing?: number;
    look?: typeof plain;
  } = {},
) =>
  chartRows(
    {
      curves: [
        {
          curve: curveOf(values, options.steps, options.smoothing),
          style: 'train',
          rawStyle: 'trainRaw',
        },
      ],
      width: options.width ?? 60,
      height: options.height ?? 12,
      logarithmic: options.logarithmic ?? false,
    },
    options.look ?? plain,
  );

/** The characters right of the value axis, without the two rows of the step axis. */
const plotOf = (rows: readonly string[]): string[] =>
  rows.slice(0, -2).map((row) => row.slice(row.search(/[│┤]/) + 1));
const isLit = (character: string | undefined) =>
  character !== undefined && character !== ' ' && character !== '┈';

const anyValue = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: -1e9, max: 1e9, noNaN: true }) },
  fc.constantFrom(Number.NaN, Infinity, -Infinity, 0, 1e-300, -1e300),
);

test('whatever the values, a chart has exactly the rows and cells that were asked for', () => {
  fc.assert(
    fc.property(
      fc.array(anyValue, { maxLength: 200 }),
      fc.integer({ min: 0, max: 90 }),
      fc.integer({ min: 0, max: 30 }),
      fc.boolean(),
      fc.constantFrom(0, 0.6, 0.99),
      fc.boolean(),
      (values, width, height, logarithmic, smoothing, unicode) => {
        const rows = draw(values, {
          width,
          height,
          logarithmic,
          smoothing,
          look: unicode ? plain : ascii,
        });
        expect(rows).toHaveLength(height);
        for (const row of rows) expect([...row]).toHaveLength(width);
        if (!unicode) for (const row of rows) expect(row).toMatch(/^[\x20-\x7e]*$/);
      },
    ),
    { numRuns: 300 },
  );
});

test('one spike among a million points is drawn up to its height', () => {
  const random = seeded(1);
  const values = Float64Array.from({ length: 1_000_000 }, () => 0.4 + random() * 0.02);
  values[654_321] = 50;
  const steps = Float64Array.from(values, (_, index) => index + 1);
  const curve = new Curve().update({ length: values.length, values, steps, times: steps });
  const plot = plotOf(
    chartRows(
      { curves: [{ curve, style: 'train' }], width: 100, height: 20, logarithmic: false },
      plain,
    ),
  );
  const top = plot.findIndex((row) => [...row].some(isLit));
  expect(top).toBeLessThanOrEqual(1);
  const column = [...(plot[top] ?? '')].findIndex(isLit);
  // At its step, not merely somewhere: 65 hundredths of the way.
  expect(column / (plot[0]?.length ?? 1)).toBeCloseTo(0.654, 1);
});

test('the smallest and the largest value of every column are lit', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 2, maxLength: 600 }),
      (values) => {
        const rows = draw(values, { width: 40, height: 14, look: ascii });
        const plot = rows.slice(0, -2).map((row) => row.slice(row.search(/[|+]/) + 1));
        const low = Math.min(...values);
        const high = Math.max(...values);
        if (high - low < 1e-6) return;
        // The domain is padded by 4 hundredths: extremes lie within the outermost rows, but for rounding.
        const lit = plot.map((row) => /[.':]/.test(row));
        expect(lit.slice(0, 2)).toContain(true);
        expect(lit.slice(-2)).toContain(true);
      },
    ),
    { numRuns: 200 },
  );
});

test('a validation curve that starts late lies where its steps are, not stretched over the width', () => {
  const train = curveOf(Array.from({ length: 100 }, () => 1));
  const validation = curveOf([2, 2], [50, 100]);
  const plot = plotOf(
    chartRows(
      {
        curves: [
          { curve: train, style: 'train' },
          { curve: validation, style: 'validation' },
        ],
        width: 60,
        height: 12,
        logarithmic: false,
      },
      plain,
    ),
  );
  const first = [...(plot[0] ?? '')].findIndex(isLit);
  expect(first / (plot[0]?.length ?? 1)).toBeGreaterThan(0.45);
  expect(first / (plot[0]?.length ?? 1)).toBeLessThan(0.55);
});

test('a value that is not finite is a gap in the curve and a mark at its step', () => {
  const values = Array.from({ length: 60 }, (_, index) =>
    index >= 20 && index < 40 ? Number.NaN : 1,
  );
  const plot = plotOf(draw(values));
  const width = plot[0]?.length ?? 0;
  const marked = [...(plot.at(-1) ?? '')].flatMap((character, column) =>
    character === '×' ? [column / width] : [],
  );
  expect(Math.min(...marked)).toBeGreaterThan(0.3);
  expect(Math.max(...marked)).toBeLessThan(0.7);
  const middle = plot
    .slice(0, -1)
    .map((row) => row.slice(Math.ceil(width * 0.38), Math.floor(width * 0.62)));
  for (const row of middle) expect([...row].some(isLit)).toBe(false);
  expect(plot.some((row) => isLit(row[Math.floor(width * 0.1)]))).toBe(true);
  expect(plot.some((row) => isLit(row[Math.floor(width * 0.9)]))).toBe(true);
});

test('a curve of nothing but NaN says so instead of drawing', () => {
  expect(draw([Number.NaN, Number.NaN]).join('')).toContain('no finite value yet');
  expect(draw([]).join('')).toContain('no points yet');
});

test('values that are not above zero have no place on a logarithmic axis, and are marked there', () => {
  const plot = plotOf(draw([1, 10, 0, 10, 100], { logarithmic: true }));
  expect(plot.at(-1)).toContain('×');
  expect(draw([-1, -2], { logarithmic: true }).join('')).toContain('no value above 0');
});

test('equal steps of a power law are equally high on a logarithmic axis', () => {
  const rows = draw([1, 10, 100, 1000], { logarithmic: true, height: 22 });
  const at = (label: string) => rows.findIndex((row) => row.trimStart().startsWith(`${label} `));
  expect([at('1000'), at('100'), at('10'), at('1')].every((row) => row >= 0)).toBe(true);
  expect(at('10') - at('100')).toBeCloseTo(at('100') - at('1000'), -0.5);
});

test('labels have the digits that tell them apart', () => {
  const labels = (values: number[]) =>
    draw(values, { height: 14 })
      .slice(0, -2)
      .map((row) => row.split(/[│┤]/)[0]?.trim() ?? '')
      .filter((label) => label !== '');
  for (const values of [
    [0.034, 0.91],
    [0.03401, 0.03405],
    [120, 540],
    [1e-7, 3e-7],
    [2e7, 9e7],
  ]) {
    const found = labels(values);
    expect(found.length).toBeGreaterThanOrEqual(2);
    expect(new Set(found).size).toBe(found.length);
  }
});

test('without colours validation is dashed, so that it is told from training', () => {
  const look = createLook({ depth: 0, unicode: true });
  const curve = curveOf(Array.from({ length: 200 }, () => 1));
  const dashes = chartRows(
    {
      curves: [{ curve, style: 'validation', dashed: true }],
      width: 60,
      height: 8,
      logarithmic: false,
    },
    look,
  ).join('');
  const solid = chartRows(
    { curves: [{ curve, style: 'train' }], width: 60, height: 8, logarithmic: false },
    look,
  ).join('');
  const lit = (text: string) =>
    [...text].filter((character) => character >= '⠁' && character <= '⣿').length;
  expect(lit(dashes)).toBeLessThan(lit(solid));
});

test('a million points are drawn in less than 50 ms of processor time once they are known, and 100 more cost nothing to speak of', () => {
  const random = seeded(2);
  const capacity = 1_000_100;
  const values = Float64Array.from({ length: capacity }, () => random());
  const steps = Float64Array.from(values, (_, index) => index + 1);
  const curve = new Curve();
  const frame = (length: number) => {
    const start = process.cpuUsage();
    curve.update({ length, values, steps, times: steps }, 0.9);
    chartRows(
      {
        curves: [{ curve, style: 'train', rawStyle: 'trainRaw' }],
        width: 160,
        height: 40,
        logarithmic: false,
      },
      plain,
    );
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1_000;
  };
  frame(1_000_000); // takes all of them in; what follows is what a running screen pays
  const times = Array.from({ length: 20 }, (_, index) => frame(1_000_000 + (index + 1) * 5)).sort(
    (a, b) => a - b,
  );
  expect(times[18]).toBeLessThan(50);
});
