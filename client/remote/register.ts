import * as tf from '@tensorflow/tfjs-core';
import { TeletrainError } from '../../shared/errors.ts';
import { isKernelName } from '../../shared/tensors/kernels.ts';
import type { CommandQueue } from './command-queue.ts';
import { RemoteBackend } from './remote-backend.ts';

export const backendName = 'remote';

/** Below tfjs' own backends: it is used when the program says so. */
const priority = 0;

export interface RegisteredBackend {
  readonly backend: RemoteBackend;
  /** Takes it away again, which frees its tensors. */
  unregister(): void;
}

/** @throws TeletrainError `already-connected`. */
export function requireUnregistered(): void {
  if (tf.findBackendFactory(backendName) === null) return;
  throw new TeletrainError('already-connected', 'This program is connected to a worker already.', {
    hint: 'Close the session that it has before it opens another.',
  });
}

/**
 * Makes a session's engine tfjs' backend `remote`, with the kernels that it has.
 * @throws TeletrainError `already-connected`.
 */
export function registerRemote(queue: CommandQueue, kernels: readonly string[]): RegisteredBackend {
  requireUnregistered();
  const backend = new RemoteBackend(queue);
  const known = kernels.filter(isKernelName);
  for (const kernelName of known) {
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => backend.run(kernelName, inputs, attrs),
    });
  }
  tf.registerBackend(backendName, () => backend, priority);
  return {
    backend,
    unregister() {
      for (const kernelName of known) tf.unregisterKernel(kernelName, backendName);
      tf.removeBackend(backendName);
      queue.close();
    },
  };
}
