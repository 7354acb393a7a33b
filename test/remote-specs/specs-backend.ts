import * as tf from '@tensorflow/tfjs-core';
import { afterAll } from 'vitest';
import { connect } from '../../client/remote/connect.ts';
import { createClient } from '../../client/session/client.ts';
import { openEngine } from '../../worker/engine/backend/engine.ts';
import { temporaryHome, WorkerProcess } from '../integration/support/worker-process.ts';
import { checkOutputShapes } from './check-output-shapes.ts';

export interface SpecsBackend {
  readonly backendName: string;
  /** Filled while the specs run: where a kernel gave other outputs than the client works out. */
  readonly mismatches?: ReadonlySet<string>;
  /** Rejects with what failed on the worker and nobody read. */
  readonly settle: () => Promise<void>;
}

/** The backend that TELETRAIN_SPECS_ON names: `remote` (default), over a worker on loopback, or `engine`. */
export async function openSpecsBackend(): Promise<SpecsBackend> {
  if (process.env.TELETRAIN_SPECS_ON === 'engine') {
    const { kind } = await openEngine();
    const backendName = kind === 'native' ? 'tensorflow' : 'wasm';
    const mismatches = checkOutputShapes(backendName);
    return { backendName, settle: async () => {}, mismatches };
  }
  const workerHome = await temporaryHome();
  const home = await temporaryHome();
  const worker = new WorkerProcess(workerHome.path, { args: ['--parent-watch'] });
  const { url, code } = await worker.listening();
  const client = createClient({ home: home.path });
  await client.connectWorker(url, { code, name: 'specs' });
  await client.close();
  const session = await connect('specs', { home: home.path });
  afterAll(async () => {
    session.close();
    await worker.stop();
    await workerHome[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });
  // What failed with nobody reading is told at the next read: of its own spec, not of another.
  const settle = async () => {
    if (tf.getBackend() === 'remote') await tf.backend().time(() => {});
  };
  return { backendName: 'remote', settle };
}
