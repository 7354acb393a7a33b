import { expect, test } from 'vitest';
import type { RunEvent } from '../../../../shared/events.ts';
import { foldEvent, foldOfNew } from '../../../../worker/gateway/run-fold.ts';

const epochs = 100_000;

test('a run of a hundred thousand epochs takes time in proportion to them, and still knows the epoch of a step', () => {
  let fold = foldOfNew();
  let seq = 0;
  const numbered = () => {
    seq += 1;
    return { run: 'one', seq, time: 0 };
  };
  const startedAt = performance.now();
  for (let epoch = 1; epoch <= epochs; epoch += 1) {
    const ended: RunEvent = {
      ...{ type: 'epoch', step: 10 * epoch, epoch, ...numbered() },
      ...{ seconds: 1, examplesPerSecond: 1, liveTensors: 0 },
    };
    fold = foldEvent(fold, ended);
  }
  // A copy of all that came before for each of them would take half a minute.
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  const back = foldEvent(fold, { type: 'rewind', toStep: 455, ...numbered() });
  expect(back).toMatchObject({ step: 455, epoch: 46 });
  expect(foldEvent(back, { type: 'rewind', toStep: 450, ...numbered() })).toMatchObject({
    step: 450,
    epoch: 46,
  });
});
