import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Engine, openEngine } from '../../worker/engine/backend/engine.ts';
import type { ExecuteOperation } from '../../worker/engine/backend/operation.ts';

let engine: Engine;
let executeOp: ExecuteOperation;
beforeAll(async () => {
  engine = await openEngine({ require: 'native' });
  if (engine.executeOp === undefined) throw new Error('the native engine runs operations');
  executeOp = engine.executeOp;
});

/** Handles that 100 calls leave behind. */
function growth(call: () => unknown): number {
  const callOnce = () => {
    tf.tidy(() => {
      call();
    });
  };
  callOnce();
  const before = engine.liveTensors();
  for (let i = 0; i < 100; i++) callOnce();
  return engine.liveTensors() - before;
}

function lstm() {
  const [timesteps, batch, inputs, units] = [3, 2, 4, 5];
  return executeOp(
    'BlockLSTMV2',
    { T: { type: 'float32' }, cell_clip: { float: 0 }, use_peephole: { bool: false } },
    [
      { int64: timesteps },
      tf.ones([timesteps, batch, inputs]),
      tf.zeros([batch, units]),
      tf.zeros([batch, units]),
      tf.ones([inputs + units, 4 * units]),
      ...[0, 1, 2].map(() => tf.zeros([units])),
      tf.zeros([4 * units]),
    ],
    7,
  );
}

describe('live tensor handles of the native engine', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('are counted by TensorFlow itself', () => {
    const before = engine.liveTensors();
    const product = tf.tidy(() => tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])));
    expect(engine.liveTensors()).toBe(before + 1);
    product.dispose();
    expect(engine.liveTensors()).toBe(before);
  });

  it('do not grow with int64 scalar inputs', () => {
    expect(growth(lstm)).toBe(0);
    const hidden = tf.tidy(() => lstm()[6]?.dataSync());
    expect(hidden?.length).toBe(3 * 2 * 5);
  });

  it('do not grow with int64 outputs, which arrive as int32 and without a word', () => {
    const warn = vi.spyOn(console, 'warn');
    const where = () =>
      executeOp(
        'Where',
        { T: { type: 'bool' } },
        [tf.tensor1d([false, true, false, true], 'bool')],
        1,
      );
    expect(growth(where)).toBe(0);
    const [indices] = where();
    expect(indices?.dtype).toBe('int32');
    expect(indices?.dataSync()).toEqual(new Int32Array([1, 3]));
    indices?.dispose();
    const picked = tf.tidy(() =>
      tf.gather(tf.tensor1d([10, 20, 30, 40]), tf.reshape(where()[0] ?? [], [2])).dataSync(),
    );
    expect([...picked]).toEqual([20, 40]);
    expect(warn).not.toHaveBeenCalled();
  });

  it('do not grow when an operation refuses its inputs', () => {
    const refused = () => {
      expect(() =>
        executeOp(
          'Range',
          { Tidx: { type: 'int64' } },
          [{ int64: 3 }, { int64: 1 }, { int64: 1 }],
          1,
        ),
      ).toThrow();
    };
    expect(growth(refused)).toBe(0);
  });

  it('do not grow when an output has a type that tfjs does not know', () => {
    const half = () => {
      expect(() =>
        executeOp(
          'Cast',
          { SrcT: { type: 'float32' }, DstT: { type: 'half' }, Truncate: { bool: false } },
          [tf.ones([2])],
          1,
        ),
      ).toThrow(/dtype/);
    };
    expect(growth(half)).toBe(0);
  });

  it('do not grow over tfjs’ own operations and gradients', () => {
    const ids = tf.tensor1d([1, 0, 1], 'int32');
    const step = () => {
      tf.grads((table: tf.Tensor, weights: tf.Tensor) =>
        tf.sum(tf.tanh(tf.matMul(tf.gather(table, ids) as tf.Tensor2D, weights as tf.Tensor2D))),
      )([tf.ones([2, 3]), tf.ones([3, 4])]);
      tf.argMax(tf.ones([3, 4]), 1);
      tf.topk(tf.tensor1d([1, 3, 2]), 2);
    };
    expect(growth(step)).toBe(0);
    ids.dispose();
  });
});
