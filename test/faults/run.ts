import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Comparison } from './comparison.ts';
import { DisturbedRunError } from './disturbed-run.ts';
import { fullDiskLibrary } from './filling-disk.ts';
import { type DrawnFrom, describeSchedule, drawSchedule, troubleKinds } from './schedule.ts';
import { availableWorkloads } from './workloads.ts';

/**
 * `node test/faults/run.ts [--schedules N] [--seed N] [--at-once N] [--log]`: random schedules of faults, each
 * against a worker, an engine and a client of its own. Schedule n has the seed of the first one plus
 * n; one that failed is done again by its own seed and `--schedules 1`. `--log` tells of those that
 * passed too what happened.
 */
const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '20' },
    seed: { type: 'string' },
    'at-once': { type: 'string', default: '1' },
    log: { type: 'boolean', default: false },
  },
});
const schedules = wholeNumber('schedules', values.schedules);
const atOnce = wholeNumber('at-once', values['at-once']);
const firstSeed =
  values.seed === undefined
    ? Math.floor(Math.random() * 1_000_000) * 1_000
    : wholeNumber('seed', values.seed);

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

// The processes are the compiled ones: the program compiles what changed before it says its version.
const teletrain = fileURLToPath(new URL('../../bin/teletrain.mjs', import.meta.url));
execFileSync(process.execPath, [teletrain, '--version']);
const library = await fullDiskLibrary();
const drawnFrom: DrawnFrom = {
  workloads: availableWorkloads(),
  kinds: 'path' in library ? troubleKinds : troubleKinds.filter((kind) => !isOfDisk(kind)),
};
say(
  `${schedules} schedules from seed ${firstSeed}, ${atOnce} at once on ${availableParallelism()} cores`,
);
say(`recipes: ${drawnFrom.workloads.join(', ')}; faults: ${drawnFrom.kinds.join(', ')}`);
if ('lacking' in library) say(`not checked: ${library.lacking}`);

const comparison = new Comparison({ library: 'path' in library ? library.path : undefined });
const failed: number[] = [];
let passed = 0;
let next = 0;

async function takeTurns(): Promise<void> {
  while (next < schedules) {
    const seed = firstSeed + next;
    next += 1;
    await disturb(seed);
  }
}

async function disturb(seed: number): Promise<void> {
  const schedule = drawSchedule(seed, drawnFrom);
  const startedAt = performance.now();
  const seconds = (): string => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
  const kinds = schedule.faults.map(({ trouble }) => trouble.kind).join(', ');
  try {
    const { begun, log } = await comparison.disturb(schedule);
    if (values.log) for (const line of [...describeSchedule(schedule), ...log]) say(`  ${line}`);
    passed += 1;
    say(
      `seed ${seed}  passed in ${seconds()}  ${begun} of ${schedule.faults.length} faults began: ${kinds}`,
    );
  } catch (error) {
    failed.push(seed);
    say(`seed ${seed}  FAILED after ${seconds()}`);
    for (const line of describeSchedule(schedule)) say(`  ${line}`);
    if (error instanceof DisturbedRunError) for (const line of error.log) say(`  ${line}`);
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    say(`  again: node test/faults/run.ts --schedules 1 --seed ${seed}`);
  }
}

await Promise.all(Array.from({ length: atOnce }, takeTurns));
say(`${passed} of ${schedules} schedules passed`);
if (failed.length > 0) say(`failed: ${failed.join(', ')}`);
process.exit(failed.length > 0 ? 1 : 0);

function isOfDisk(kind: string): boolean {
  return kind.endsWith('-disk-full');
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new Error(`--${option} takes a whole number, not "${text}"`);
}
