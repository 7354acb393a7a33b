import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { brokenParts } from './broken-parts.ts';
import { live } from './life.ts';
import { planOf } from './plan.ts';
import { shrink } from './shrink.ts';

const lives = 2_000;
/** So many are tried, and mostly few are needed, until a broken part shows. */
const triedSeeds = 400;

test(`in ${lives} lives full of trouble no event is lost, no command done twice, and what is shown is true`, {
  timeout: 400_000,
}, async () => {
  const startedAt = performance.now();
  let ms = 0;
  for (let seed = 1; seed <= lives; seed += 1) {
    const lived = await live(planOf(seed));
    ms += lived.ms;
    const replay = `node test/simulation/run.ts --seed ${seed} --trace`;
    expect(lived.violation, `replay with: ${replay}`).toBeUndefined();
    // A promise that nobody caught shows itself now.
    if (seed % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(tf.memory().numTensors, 'tensors left of all lives').toBe(0);
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `${lives} lives of ${(ms / 3_600_000).toFixed(1)} hours in ${seconds.toFixed(1)} s, ${Math.round(ms / 1000 / seconds)} times as fast as real time`,
  );
});

test('the same seed lives the same life, step by step', async () => {
  for (const seed of [3, 33, 333]) {
    const [first, again] = [
      await live(planOf(seed), { traced: true }),
      await live(planOf(seed), { traced: true }),
    ];
    expect(again).toEqual(first);
    expect(first.trace.length).toBeGreaterThan(5);
  }
});

describe('the simulator finds it when', () => {
  for (const { name, seen, put } of brokenParts) {
    test(name, async () => {
      const takeAway = put();
      try {
        for (let seed = 1; seed <= triedSeeds; seed += 1) {
          const plan = planOf(seed);
          const { violation } = await live(plan);
          if (violation === undefined) continue;
          expect(violation).toMatch(seen);
          const shortest = await shrink(plan);
          expect(shortest.entries.length).toBeLessThanOrEqual(plan.entries.length);
          expect((await live(shortest)).violation).toMatch(seen);
          return;
        }
        expect.unreachable(`nothing was seen in ${triedSeeds} lives`);
      } finally {
        takeAway();
      }
    });
  }
});
