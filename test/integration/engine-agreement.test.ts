import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Engine, openEngine } from '../../worker/engine/backend/engine.ts';

const uniform = (shape: [number, number, number, number], seed: number) =>
  tf.randomUniform(shape, -1, 1, 'float32', seed);
const uniformMatrix = (rows: number, columns: number, seed: number) =>
  tf.randomUniform<tf.Rank.R2>([rows, columns], -1, 1, 'float32', seed);

/** Values of `compute` on each engine, which must agree to float32's accuracy. */
async function onBoth(compute: () => tf.Tensor | tf.Tensor[]): Promise<[number[], number[]]> {
  const values = () =>
    tf.tidy(() => [compute()].flat().flatMap((tensor) => [...tensor.dataSync()]));
  await openEngine({ prefer: 'wasm', require: 'nothing' });
  const wasm = values();
  await openEngine();
  return [wasm, values()];
}

async function expectAgreement(compute: () => tf.Tensor | tf.Tensor[]) {
  const [wasm, native] = await onBoth(compute);
  expect(wasm.length).toBe(native.length);
  const scale = Math.max(1, ...native.map(Math.abs));
  const difference = Math.max(...wasm.map((value, i) => Math.abs(value - (native[i] ?? NaN))));
  expect(difference).toBeLessThan(1e-5 * scale);
}

describe('the WebAssembly engine', () => {
  let native: Engine;
  beforeAll(async () => {
    native = await openEngine();
  });

  it('is compared with the native one', () => {
    expect(native.kind).toBe('native');
  });

  it('reports itself and leaves no tensor behind', async () => {
    const engine = await openEngine({ prefer: 'wasm', require: 'nothing' });
    expect([engine.kind, engine.device, tf.getBackend()]).toEqual(['wasm', 'cpu', 'wasm']);
    const before = engine.liveTensors();
    const kept = tf.ones([2, 2]);
    expect(engine.liveTensors()).toBe(before + 1);
    kept.dispose();
    expect(engine.liveTensors()).toBe(before);
  });

  it('gives the gradient of a gather, adding where rows repeat', async () => {
    await expectAgreement(() => {
      const ids = tf.tensor2d([1, 2, 3, 3, 3, 9, 0, 1], [2, 4], 'int32');
      return tf.grad((table: tf.Tensor) =>
        tf.sum(tf.mul(tf.gather(table, ids), tf.reshape(uniformMatrix(8, 3, 5), [2, 4, 3]))),
      )(uniformMatrix(10, 3, 3));
    });
  });

  it.each([
    { name: 'same', size: [5, 6], filter: [3, 2], strides: [1, 1] },
    { name: 'same', size: [7, 8], filter: [7, 7], strides: [1, 1] },
    { name: 'same', size: [7, 8], filter: [3, 3], strides: [2, 3] },
    { name: 'valid', size: [9, 8], filter: [4, 3], strides: [2, 1] },
    { name: 'valid', size: [3, 3], filter: [1, 1], strides: [1, 1] },
  ] as const)(
    'gives a convolution’s gradients: $name, $size by $filter, strides $strides',
    async ({ name, size, filter, strides }) => {
      await expectAgreement(() => {
        const convolve = (x: tf.Tensor4D, w: tf.Tensor4D) =>
          tf.sum(tf.square(tf.conv2d(x, w, [...strides], name)));
        return tf.grads(convolve as (...inputs: tf.Tensor[]) => tf.Scalar)([
          uniform([2, ...size, 3], 1),
          uniform([...filter, 3, 4], 2),
        ]);
      });
    },
  );
});
