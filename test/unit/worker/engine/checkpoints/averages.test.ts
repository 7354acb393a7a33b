import { expect, test } from 'vitest';
import { exchangeAverages } from '../../../../../worker/engine/checkpoints/averages.ts';

const tensor = (value: number) => ({ shape: [1], values: Float32Array.of(value) });

test('a checkpoint’s model files hold the averages, and its slots the weights to go on with', () => {
  const training = {
    weights: new Map([
      ['layer/kernel', tensor(1)],
      ['layer/bias', tensor(2)],
    ]),
    slots: new Map([
      ['adam/layer/kernel/velocity', tensor(3)],
      ['adam/layer/kernel/average', tensor(4)],
      ['adam/layer/bias/average', tensor(5)],
    ]),
  };
  const stored = exchangeAverages(training);
  expect(stored).toEqual({
    weights: new Map([
      ['layer/kernel', tensor(4)],
      ['layer/bias', tensor(5)],
    ]),
    slots: new Map([
      ['adam/layer/kernel/velocity', tensor(3)],
      ['adam/layer/kernel/trained', tensor(1)],
      ['adam/layer/bias/trained', tensor(2)],
    ]),
  });
  expect(exchangeAverages(stored)).toEqual(training);
});

test('a checkpoint without averages is left as it is', () => {
  const training = {
    weights: new Map([['kernel', tensor(1)]]),
    slots: new Map([['rmsprop/kernel/velocity', tensor(3)]]),
  };
  expect(exchangeAverages(training)).toEqual(training);
});
