import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { registerComposedKernels } from './wasm-kernels.ts';

const backendName = 'wasm';
const require = createRequire(import.meta.url);

/** tfjs' WebAssembly backend, with the kernels that gradients need and it lacks. */
export interface WasmBackend {
  readonly name: typeof backendName;
  liveTensors(): number;
}

/**
 * Loads the WebAssembly backend from node_modules and adds the missing kernels. It has one thread:
 * the package starts its threads from a blob URL, which Node's workers refuse.
 */
export async function loadWasmBackend(): Promise<WasmBackend> {
  // For the gradients, which tfjs-core's own entry leaves out.
  require('@tensorflow/tfjs');
  const entry = require.resolve('@tensorflow/tfjs-backend-wasm');
  const module: typeof import('@tensorflow/tfjs-backend-wasm') = require(entry);
  module.setWasmPaths(`${dirname(entry)}${sep}`);
  await tf.setBackend(backendName);
  await tf.ready();
  registerComposedKernels(backendName);
  return { name: backendName, liveTensors: () => tf.memory().numTensors };
}
