/**
 * Run as a process of its own: loads a compiled addon, multiplies two matrices with it, takes one
 * step of a recurrence with our kernels and exits with 0 when both are right.
 * `node check-binding.js ADDON`
 */
import { createRequire } from 'node:module';
import type { TFJSBinding } from '@tensorflow/tfjs-node-gpu/dist/tfjs_binding.js';

const [, , path] = process.argv;
if (path === undefined) throw new TypeError('the path of an addon is needed');
const binding: TFJSBinding = createRequire(import.meta.url)(path);
const left = binding.createTensor([2, 2], binding.TF_FLOAT, new Float32Array([1, 2, 3, 4]));
const right = binding.createTensor([2, 2], binding.TF_FLOAT, new Float32Array([5, 6, 7, 8]));
const [product] = binding.executeOp(
  'MatMul',
  [
    { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: 'transpose_a', type: binding.TF_ATTR_BOOL, value: false },
    { name: 'transpose_b', type: binding.TF_ATTR_BOOL, value: false },
  ],
  [left, right],
  1,
);
const values = product === undefined ? [] : [...binding.tensorDataSync(product.id)];
if (values.join() !== '19,22,43,50') {
  throw new Error(`error: a matrix product came out as ${values.join()}, not 19,22,43,50`);
}
const vector = (shape: number[], value: number) =>
  binding.createTensor(shape, binding.TF_FLOAT, new Float32Array([value]));
const [states] = binding.executeOp(
  'TeletrainSimpleRNN',
  [],
  [
    vector([1, 1, 1], 0.5),
    ...[2, 0.25].map((value) => vector([1, 1], value)),
    vector([1], -0.5),
    vector([1, 1], 1),
  ],
  2,
);
const state = states === undefined ? Number.NaN : binding.tensorDataSync(states.id)[0];
// tanh(0.5 · 2 + 1 · 0.25 - 0.5)
if (!(Math.abs(Number(state) - Math.tanh(0.75)) < 1e-6)) {
  throw new Error(`error: a recurrence's step came out as ${state}, not ${Math.tanh(0.75)}`);
}
