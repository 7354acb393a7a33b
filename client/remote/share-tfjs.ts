import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { TeletrainError } from '../../shared/errors.ts';
import { registerModelFiles } from './model-files.ts';
import { backendName } from './register.ts';

/** Packages of tfjs that hold, or bring, its registry of kernels and backends. */
const shared = /^@tensorflow\/(tfjs|tfjs-core|tfjs-layers|tfjs-data|tfjs-converter)(\/.*)?$/;
/** tfjs with a binding to TensorFlow on the program's own machine. */
const bound = /^@tensorflow\/tfjs-node(-gpu)?$/;
const whole = '@tensorflow/tfjs';

/**
 * Makes the backend `remote` that of every tfjs which the program will load: two copies of tfjs know
 * nothing of each other's backends, so all of them are this package's. What `@tensorflow/tfjs-node`
 * has beyond tfjs is its files (`file://`), which are given here, and `tf.node`, which is not.
 */
export async function shareTfjs(): Promise<void> {
  const ours = createRequire(import.meta.url);
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const isTfjs = shared.test(specifier) || bound.test(specifier);
      // What is asked from here is the resolving of what a program asked.
      if (!isTfjs || context.parentURL === import.meta.url) return nextResolve(specifier, context);
      const path = ours.resolve(bound.test(specifier) ? whole : specifier);
      return { url: pathToFileURL(path).href, shortCircuit: true };
    },
  });
  registerModelFiles();
  const union: object = ours(whole);
  Object.defineProperty(union, 'node', { get: refuseBinding, configurable: true });
  await tf.setBackend(backendName);
}

function refuseBinding(): never {
  throw new TeletrainError(
    'no-binding',
    'tf.node belongs to TensorFlow on this machine; the program runs on a worker.',
    { hint: 'Leave out what uses tf.node (TensorBoard, pictures in files, SavedModels).' },
  );
}
