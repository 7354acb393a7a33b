/**
 * A hundred half digits completed at full size, once by a whole evaluation for every pixel and some
 * times with each pixel's work done once: whether they are the same to the bit, and the times.
 * `node test/bench/whole-completions.ts [layers] [units]`; one layer of 32 takes half a minute.
 */
import { z } from 'zod';
import { openEngine } from '../../worker/engine/backend/engine.ts';
import { completeNaively } from '../../worker/engine/models/naive-sampling.ts';
import { PixelCnnReport } from '../../worker/engine/models/pixel-cnn-report.ts';
import { PixelRnn } from '../../worker/engine/models/pixel-rnn.ts';
import { createRandom } from '../../worker/engine/random.ts';

const number = z.coerce.number().int().positive();
const layers = number.default(1).parse(process.argv[2]);
const units = number.default(32).parse(process.argv[3]);
const [count, firstRow, size] = [100, 14, { rows: 28, columns: 28 }];
const repeats = 9;

await openEngine({ require: 'native' });
const pixels = createRandom(1, 'pictures');
const given = Uint8Array.from({ length: count * 784 }, () => Number(pixels.next() < 0.2));
const models = {
  [`PixelRNN, ${layers} layers, h = ${units}`]: new PixelRnn({
    seed: 1,
    layers,
    units,
    outputUnits: 32,
  }),
  'the report’s PixelCNN': new PixelCnnReport({ seed: 1 }),
};
for (const [name, model] of Object.entries(models)) {
  const times: number[] = [];
  let cached: Uint8Array | undefined;
  const timed = async (complete: () => Promise<Uint8Array>) => {
    const start = performance.now();
    const pictures = await complete();
    return { pictures, time: performance.now() - start };
  };
  const random = (seed: number) => {
    const stream = createRandom(seed, 'sampling');
    return () => stream.next();
  };
  for (let repeat = 0; repeat < repeats; repeat++) {
    const { pictures, time } = await timed(() => model.complete(given, count, firstRow, random(2)));
    times.push(time);
    cached = pictures;
  }
  const naive = await timed(() =>
    completeNaively(model, given, { size, count, firstRow, random: random(2) }),
  );
  const median = [...times].sort((a, b) => a - b)[Math.floor(repeats / 2)] ?? Number.NaN;
  const same = Buffer.compare(naive.pictures, cached ?? new Uint8Array()) === 0;
  console.log(
    `${name}: ${same ? 'the same to the bit' : 'DIFFERENT'}; naive ${(naive.time / 1000).toFixed(1)} s, ` +
      `ours ${median.toFixed(1)} ms (${Math.min(...times).toFixed(1)} to ${Math.max(...times).toFixed(1)}), ` +
      `${(naive.time / median).toFixed(0)} times as fast`,
  );
  if (!same) process.exitCode = 1;
}
