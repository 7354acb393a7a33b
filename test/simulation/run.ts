import { parseArgs } from 'node:util';
import { live } from './life.ts';
import { type Plan, planOf } from './plan.ts';
import { shrink } from './shrink.ts';

const usage = `npm run simulate -- [options]

  --seeds N    how many lives (default 2000)
  --from N     the first one's seed (default 1)
  --seed N     this one only
  --trace      with --seed: everything that happens in it
  --failures N ends after so many that went wrong (default 5)
`;

/** Lives many simulated lives; what goes wrong in one is told with its shortest story. */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    failures: { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
});

/** Lines of a trace that are told, at its beginning and at its end. */
const toldLines = 60;

process.exitCode = await main();

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (values.seed !== undefined) return await liveOne(Number(values.seed));
  return await liveMany(Number(values.from), Number(values.seeds), Number(values.failures));
}

async function liveOne(seed: number): Promise<number> {
  const lived = await live(planOf(seed), { traced: true });
  if (values.trace) console.log(lived.trace.join('\n'));
  if (lived.violation === undefined) {
    console.log(
      `seed ${seed}: nothing went wrong in ${(lived.ms / 60_000).toFixed(1)} simulated minutes and ${lived.steps} steps`,
    );
    return 0;
  }
  await tell(planOf(seed), lived.violation);
  return 1;
}

async function liveMany(from: number, count: number, most: number): Promise<number> {
  const startedAt = performance.now();
  let ms = 0;
  let steps = 0;
  let lives = 0;
  let failures = 0;
  const sum = (): string => {
    const seconds = (performance.now() - startedAt) / 1000;
    const processor = process.cpuUsage();
    const cpu = (processor.user + processor.system) / 1e6;
    return [
      `${lives} seeds from ${from}: ${failures} went wrong`,
      `${(ms / 3_600_000).toFixed(1)} simulated hours, ${steps} steps`,
      `${seconds.toFixed(1)} s (${cpu.toFixed(1)} s of CPU), ${(lives / seconds).toFixed(1)} seeds/s`,
      `${Math.round(ms / 1000 / seconds)} times as fast as real time`,
    ].join('; ');
  };
  for (let seed = from; seed < from + count && failures < most; seed += 1) {
    const plan = planOf(seed);
    const lived = await live(plan);
    lives += 1;
    ms += lived.ms;
    steps += lived.steps;
    if (lived.violation !== undefined) {
      failures += 1;
      await tell(plan, lived.violation);
    }
    if (lives % 5000 === 0) console.log(sum());
    // A promise that nobody caught shows itself now.
    await new Promise((resolve) => setImmediate(resolve));
  }
  console.log(sum());
  return failures === 0 ? 0 : 1;
}

async function tell(plan: Plan, violation: string): Promise<void> {
  const shortest = await shrink(plan);
  const { trace } = await live(shortest, { traced: true });
  console.log(
    [
      `seed ${plan.seed}: ${violation}`,
      `replay: node test/simulation/run.ts --seed ${plan.seed} --trace`,
      `shortest story, ${shortest.entries.length} of ${plan.entries.length} things that happen:`,
      ...shortened(trace).map((line) => `  ${line}`),
      '',
    ].join('\n'),
  );
}

/** Its beginning and its end. */
function shortened(trace: readonly string[]): readonly string[] {
  if (trace.length <= 2 * toldLines) return trace;
  const left = `... ${trace.length - 2 * toldLines} lines more ...`;
  return [...trace.slice(0, toldLines), left, ...trace.slice(-toldLines)];
}
