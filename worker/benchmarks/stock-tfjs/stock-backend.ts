import { createRequire } from 'node:module';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { ensureEngine } from '../../native/ensure-engine.ts';

const require = createRequire(import.meta.url);

/** tfjs-node's backend as published over the addon that our engine uses too, with none of our repairs. */
export async function openStockBackend(onProgress: (message: string) => void): Promise<void> {
  const outcome = await ensureEngine({ onProgress: ({ message }) => onProgress(message) });
  if ('problem' in outcome) throw outcome.problem;
  // It does not load without these two, which Node removed or is about to.
  const functions: { isNullOrUndefined?: unknown; isArray?: unknown } = util;
  functions.isNullOrUndefined = (value: unknown) => value === null || value === undefined;
  functions.isArray = Array.isArray;
  const binding = require(outcome.binding.path);
  require('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js');
  const {
    NodeJSKernelBackend,
  }: typeof import('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js') = require('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js');
  tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(binding, 'tfjs-node'), 3);
  await tf.setBackend('tensorflow');
  await tf.ready();
}
