import * as tf from '@tensorflow/tfjs';
import { afterEach, expect, test } from 'vitest';
import { backwardPass } from '../../../../client/remote/backward-pass.ts';
import { IssuedCalls } from '../../../../client/remote/issued-calls.ts';

function kernel(calls: IssuedCalls, call: number): void {
  calls.add(call, kernel);
}

test('a call is known by the line that asked for it until the worker is done with it', () => {
  const calls = new IssuedCalls();
  kernel(calls, 4);
  kernel(calls, 7);
  expect(calls.size).toBe(2);
  const stack = calls.stackOf(4);
  expect(stack?.split('\n')[0]).toContain('issued-calls.test.ts');
  expect(stack).not.toContain('at kernel');
  calls.forget(6);
  expect(calls.size).toBe(1);
  expect(calls.stackOf(5)).toBeUndefined();
  // It was told of once and may be told of again: what it should have made can be read later.
  expect(calls.stackOf(4)).toBe(stack);
  expect(calls.stackOf(7)).toBeDefined();
});

/** Runs a program on a backend that notes each kernel as `RemoteBackend` does. @returns their stacks. */
function stacksOf(program: () => void): Map<string, string[]> {
  const calls = new IssuedCalls();
  const kernels = tf.getKernelsForBackend('cpu');
  const stacks = new Map<string, string[]>();
  let call = 0;
  tf.registerBackend('noted', tf.findBackendFactory('cpu'));
  for (const kernel of kernels) {
    const { kernelName, kernelFunc } = kernel;
    const noted: typeof kernelFunc = (given) => {
      const pass = backwardPass();
      calls.add(call, pass ? tf.engine().gradients : noted, pass);
      const known = stacks.get(kernelName) ?? [];
      stacks.set(kernelName, [...known, calls.stackOf(call) ?? '']);
      call += 1;
      return kernelFunc(given);
    };
    tf.registerKernel({ ...kernel, backendName: 'noted', kernelFunc: noted });
  }
  tf.setBackend('noted');
  program();
  return stacks;
}
afterEach(() => {
  for (const { kernelName } of tf.getKernelsForBackend('noted')) {
    tf.unregisterKernel(kernelName, 'noted');
  }
  if (tf.findBackendFactory('noted')) tf.removeBackend('noted');
});

test('kernels that compute gradients are known by the line that asked for these, and share the note', () => {
  const x = () => tf.scalar(3);
  const loss = (v: tf.Tensor) => tf.mul(tf.square(v), v.clone()).sin();
  const stacks = stacksOf(function program() {
    tf.dispose(tf.grad(loss)(x()));
    tf.dispose(tf.grad(loss)(x()));
  });
  // The sine's gradient, a function of tfjs', runs in the pass alone.
  const [first, second] = stacks.get('Cos') ?? [];
  for (const stack of [first, second]) {
    expect(stack).toContain('program');
    expect(stack).not.toContain('gradFunc');
  }
  expect(first).not.toBe(second);
  // Forwards each is known by its own line.
  expect(stacks.get('Sin')?.[0]).toContain('loss');
  expect(stacks.get('Square')?.[0]).not.toBe(stacks.get('Sin')?.[0]);
  expect(stacks.get('Multiply')?.slice(-1)[0]).toBe(second);
});

test('a gradient that the program computes itself is known by its line, and so is what comes after one that failed', () => {
  const own = tf.customGrad((v) => ({
    value: tf.square(v as tf.Tensor),
    gradFunc: function gradientOfMine(dy: tf.Tensor) {
      return tf.cos(dy);
    },
  }));
  const stacks = stacksOf(() => {
    tf.grad((v) => own(v).sum())(tf.scalar(3));
    const constant = tf.scalar(1);
    expect(() => tf.grad(() => constant)(tf.scalar(3))).toThrow('Cannot compute gradient');
    (function afterwards() {
      tf.sin(constant);
    })();
  });
  expect(stacks.get('Cos')?.[0]).toContain('gradientOfMine');
  expect(stacks.get('Sin')?.[0]).toContain('afterwards');
});
