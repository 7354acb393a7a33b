import * as tf from '@tensorflow/tfjs-core';
import type { LayerReport } from '../../../shared/engine-report.ts';
import { type Ranking, setRanking } from '../ops/choose.ts';
import { nativeDispatch } from '../ops/native-dispatch.ts';
import { probedLayers } from './layers.ts';
import { probeLayers } from './probe.ts';

/** By backend: what it found stays true while the process lives. */
const known = new WeakMap<object, LayerReport[]>();

/**
 * Finds out what the backend in use computes its recurrent layers by, and has them computed so from
 * now on. A native engine is probed at its first opening; WebAssembly has but one way.
 *
 * @throws Error where no implementation of a layer is right
 */
export async function chooseImplementations(): Promise<LayerReport[]> {
  const backend = tf.backend();
  const reports = known.get(backend) ?? (await examine());
  known.set(backend, reports);
  setRanking(rankingOf(reports));
  return reports;
}

async function examine(): Promise<LayerReport[]> {
  const native = nativeDispatch();
  if (native === undefined) {
    return probedLayers.map(({ layer }) => ({
      layer,
      used: 'composed',
      implementations: [{ name: 'composed', reason: 'WebAssembly has no other' }],
    }));
  }
  return probeLayers(probedLayers, {
    notTried: ({ name }) =>
      name === 'kernel' && native.usesGpu ? 'our kernels compute on the CPU' : undefined,
  });
}

function rankingOf(reports: readonly LayerReport[]): Ranking {
  return Object.fromEntries(
    reports.map(({ layer, used, implementations }) => {
      const agreeing = implementations.filter(({ agrees }) => agrees === true);
      return [layer, [used, ...agreeing.map(({ name }) => name).filter((name) => name !== used)]];
    }),
    // One entry for each layer, of which there is one report.
  ) as unknown as Ranking;
}
