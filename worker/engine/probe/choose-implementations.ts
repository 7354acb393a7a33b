import * as tf from '@tensorflow/tfjs-core';
import type { LayerReport } from '../../../shared/engine-report.ts';
import { wishFor, wishVariable } from '../../wished-implementations.ts';
import { type Ranking, setRanking } from '../ops/choose.ts';
import { type NativeDispatch, nativeDispatch } from '../ops/native-dispatch.ts';
import { Attempts } from './attempts.ts';
import { probedLayers } from './layers.ts';
import { probeLayers } from './probe.ts';
import { timedSizes } from './sizes.ts';
import { layerOfWrongKernel, withTrustedKernels } from './trusted-kernels.ts';

/** By backend: what it found stays true while the process lives. */
const known = new WeakMap<object, LayerReport[]>();

/**
 * Finds out what the backend in use computes its recurrent layers by, and has them computed so from
 * now on. A native engine is probed at its first opening; WebAssembly has but one way.
 *
 * @param folder where a GPU's engine notes what it tries, for the case that this ends it
 * @throws Error where no implementation of a layer is right
 */
export async function chooseImplementations(folder: string): Promise<LayerReport[]> {
  const backend = tf.backend();
  const reports =
    known.get(backend) ?? asWished(await findImplementations(nativeDispatch(), folder));
  known.set(backend, reports);
  setRanking(rankingOf(reports));
  return reports;
}

/**
 * Has the layers computed as they were before where that is right here too, though another way may be
 * faster now: which is fastest is a matter of what else the machine does, and another way gives other
 * bits.
 *
 * @param found what the probe found on the backend in use
 * @param before what computed the run until now; nothing for a run that begins
 * @returns what is used from now on
 */
export function keepImplementations(
  found: readonly LayerReport[],
  before: readonly LayerReport[] = [],
): LayerReport[] {
  const usedBefore = (layer: string) => before.find((report) => report.layer === layer)?.used;
  const kept = preferring(found, usedBefore, 'it computed the run before');
  setRanking(rankingOf(kept));
  return kept;
}

/** For engines whose bits are to be compared. */
function asWished(found: readonly LayerReport[]): LayerReport[] {
  return preferring(found, (layer) => wishFor(layer), `${wishVariable} asks for it`);
}

/** The reports with a wish fulfilled wherever it agrees with the reference. */
function preferring(
  found: readonly LayerReport[],
  wish: (layer: string) => string | undefined,
  why: string,
): LayerReport[] {
  const kernelsAreTrusted = layerOfWrongKernel(found) === undefined;
  return found.map((report) => {
    const wished = report.implementations.find(({ name }) => name === wish(report.layer));
    if (wished?.agrees !== true || wished.name === report.used) return report;
    if (wished.name === 'kernel' && !kernelsAreTrusted) return report;
    const implementations = report.implementations.map((other) =>
      other === wished ? { ...other, reason: `${other.reason}; ${why}` } : other,
    );
    return { ...report, used: wished.name, implementations };
  });
}

/**
 * What each layer may be computed by on the backend in use, and what is best.
 *
 * @param native absent on WebAssembly
 */
export async function findImplementations(
  native: Pick<NativeDispatch, 'usesGpu'> | undefined,
  folder: string,
): Promise<LayerReport[]> {
  if (native === undefined) {
    return probedLayers.map(({ layer }) => ({
      layer,
      used: 'composed',
      implementations: [{ name: 'composed', reason: 'WebAssembly has no other' }],
    }));
  }
  // On a CPU only our kernels could end the process, and the set-up tries those in one of its own.
  if (!native.usesGpu) return withTrustedKernels(await probeLayers(probedLayers));
  const attempts = new Attempts(folder);
  return probeLayers(probedLayers, {
    timedSize: timedSizes.gpu,
    notTried: (layer, name) =>
      name === 'kernel' ? 'our kernels compute on the CPU' : attempts.endedBefore(layer, name),
    attempt: (layer, name, tryIt) => attempts.remember(layer, name, tryIt),
  });
}

function rankingOf(reports: readonly LayerReport[]): Ranking {
  const kernelsAreTrusted = layerOfWrongKernel(reports) === undefined;
  return Object.fromEntries(
    reports.map(({ layer, used, implementations }) => {
      const others = implementations.filter(
        ({ name, agrees }) =>
          agrees === true && name !== used && (name !== 'kernel' || kernelsAreTrusted),
      );
      return [layer, [used, ...others.map(({ name }) => name)]];
    }),
    // One entry for each layer, of which there is one report.
  ) as unknown as Ranking;
}
