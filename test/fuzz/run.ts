import { parseArgs } from 'node:util';
import { fuzz } from './fuzzer.ts';
import { inputFromText } from './input.ts';
import { openTargets } from './targets.ts';

/**
 * `node test/fuzz/run.ts [--inputs 1000000] [--seed N] [--target NAME]`: mutated inputs from a
 * printed seed, until one does what none may do. `--target NAME --replay INPUT` has one input again.
 */
const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    target: { type: 'string' },
    replay: { type: 'string' },
  },
});
const targets = await openTargets(values.target);
try {
  if (values.replay === undefined) await fuzzAll();
  else for (const target of targets) console.log(await target.run(inputFromText(values.replay)));
} finally {
  for (const target of targets) await target.close();
}

async function fuzzAll(): Promise<void> {
  const seed = Number(values.seed);
  console.log(`seed ${seed}, ${values.inputs} inputs`);
  const report = await fuzz(targets, {
    seed,
    inputs: Number(values.inputs),
    onProgress: (done) => {
      if (done % 50_000 === 0) console.log(`${done} inputs`);
    },
  });
  for (const [outcome, count] of [...report.outcomes].sort()) console.log(`${count}\t${outcome}`);
  for (const [name, bytes] of report.memory) console.log(`${name}: ${mebibytes(bytes)} an input`);
  console.log(
    `${report.inputs} inputs in ${Math.round(report.milliseconds / 1000)} s, peak ${mebibytes(report.peakBytes)} resident`,
  );
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
