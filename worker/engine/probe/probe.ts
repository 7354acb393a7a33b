import { performance } from 'node:perf_hooks';
import * as tf from '@tensorflow/tfjs-core';
import type {
  ImplementationName,
  ImplementationReport,
  LayerName,
  LayerReport,
} from '../../../shared/engine-report.ts';
import { largestDifference } from './agreement.ts';
import type { Attempts } from './attempts.ts';
import type { Candidate, ProbedLayer } from './probed-layer.ts';
import { referenceValues } from './reference.ts';
import { refusal } from './refusal.ts';
import { checkedSizes, type ProbeSize, timedSizes } from './sizes.ts';
import { type Tolerance, toleranceHere } from './tolerance.ts';
import { type LayerValues, prepare, valuesOf } from './values.ts';

export interface ProbeOptions {
  /** Why an implementation is not even tried, or undefined where it is. */
  readonly notTried?: (layer: LayerName, name: ImplementationName) => string | undefined;
  /** Is given each trial of an implementation, to call it and return what it returns. */
  readonly attempt?: Attempts['remember'];
  /**
   * Milliseconds after which nothing more is timed: what agrees is then taken in order of preference.
   * Default: 4000.
   */
  readonly budget?: number;
  /** Where an implementation is compared with the reference. Default: `checkedSizes`. */
  readonly sizes?: readonly ProbeSize[];
  /** What is timed. Default: what tells the implementations on a CPU apart. */
  readonly timedSize?: ProbeSize;
}

/**
 * Tries each implementation of each layer on the backend in use: at several small sizes all its
 * results and gradients are compared with the reference's, then those that agree are timed on one
 * larger size. The first in order of preference is used unless another takes less than 4/5 of its
 * time, so that two equally fast ones do not take turns from start to start.
 *
 * @throws Error where no implementation of a layer agrees
 */
export async function probeLayers(
  layers: readonly ProbedLayer[],
  {
    notTried = () => undefined,
    attempt = (_layer, _name, tryIt) => tryIt(),
    budget = 4000,
    sizes = checkedSizes,
    timedSize = timedSizes.cpu,
  }: ProbeOptions = {},
): Promise<LayerReport[]> {
  const deadline = performance.now() + budget;
  const references = await referenceValues(layers, sizes);
  const tolerance = toleranceHere();
  return layers.map((layer, place) => {
    // As many references as layers.
    const reference = references[place] as LayerValues[];
    const tried = layer.candidates.map((candidate): Tried => {
      const reason = notTried(layer.layer, candidate.name);
      if (reason !== undefined) return { candidate, reason };
      const tryIt = () => check(layer, candidate, sizes, reference, tolerance);
      return { candidate, ...attempt(layer.layer, candidate.name, tryIt) };
    });
    return conclude(layer, timeAll(layer, tried, { attempt, deadline, timedSize }), tolerance);
  });
}

interface Tried extends Pick<ImplementationReport, 'agrees' | 'difference' | 'milliseconds'> {
  readonly candidate: Candidate;
  /** Why it is not used, where that is known already. */
  readonly reason?: string;
}

function check(
  layer: ProbedLayer,
  candidate: Candidate,
  sizes: readonly ProbeSize[],
  references: readonly LayerValues[],
  tolerance: Tolerance,
): Omit<Tried, 'candidate'> {
  try {
    const differences = sizes.map((size, place) =>
      // As many references as sizes.
      largestDifference(valuesOf(layer, candidate.at, size), references[place] as LayerValues),
    );
    const { relative, where } = differences.reduce((largest, other) =>
      other.relative > largest.relative ? other : largest,
    );
    if (relative <= tolerance.relative) return { agrees: true, difference: relative };
    return Number.isFinite(relative)
      ? {
          agrees: false,
          difference: relative,
          reason: `differs from the reference by ${relative.toExponential(1)} in ${where}`,
        }
      : { agrees: false, reason: `gives a number that is not finite in ${where}` };
  } catch (error) {
    return { agrees: false, reason: refusal(error) };
  }
}

/** Repetitions of which the shortest counts; a slow one shows at its first that it is slow. */
const repetitions = 3;

interface Timing extends Required<Pick<ProbeOptions, 'attempt' | 'timedSize'>> {
  /** When nothing more is timed, by `performance.now()`. */
  readonly deadline: number;
}

function timeAll(
  layer: ProbedLayer,
  tried: readonly Tried[],
  { attempt, deadline, timedSize }: Timing,
): Tried[] {
  let shortest = Number.POSITIVE_INFINITY;
  return tried.map((one) => {
    if (one.agrees !== true || performance.now() > deadline) return one;
    const { candidate } = one;
    const timeIt = () => timeOf(layer, candidate, timedSize, shortest);
    try {
      const milliseconds = attempt(layer.layer, candidate.name, timeIt);
      shortest = Math.min(shortest, milliseconds);
      return { ...one, milliseconds };
    } catch (error) {
      // Right at a small size, and not able to compute one of the recipes' kind.
      return { candidate, agrees: false, reason: refusal(error) };
    }
  });
}

function timeOf(
  layer: ProbedLayer,
  { at }: Candidate,
  timedSize: ProbeSize,
  shortest: number,
): number {
  return tf.tidy(() => {
    const call = prepare(layer, at, timedSize);
    const once = () =>
      tf.tidy(() => {
        const start = performance.now();
        // A GPU computes while its results are not yet asked for.
        for (const gradient of call.gradients()) gradient.dataSync();
        return performance.now() - start;
      });
    let milliseconds = once();
    for (let count = 1; count < repetitions && milliseconds < 3 * shortest; count++) {
      milliseconds = Math.min(milliseconds, once());
    }
    return milliseconds;
  });
}

/** Another implementation is used instead of the preferred one where it takes less of its time. */
const worthwhile = 0.8;

function conclude(layer: ProbedLayer, tried: readonly Tried[], tolerance: Tolerance): LayerReport {
  const agreeing = tried.filter(({ agrees }) => agrees === true);
  const [preferred, ...others] = agreeing;
  if (preferred === undefined) {
    const reasons = tried.map(({ candidate, reason }) => `${candidate.name} ${reason}`);
    throw new Error(`no way to compute ${layer.layer} is right: ${reasons.join('; ')}`);
  }
  const used = others.reduce((best, other) => {
    const [time, than] = [other.milliseconds, best.milliseconds];
    return time !== undefined && than !== undefined && time < worthwhile * than ? other : best;
  }, preferred);
  return {
    layer: layer.layer,
    used: used.candidate.name,
    implementations: tried.map(({ candidate, reason, ...measured }) => ({
      name: candidate.name,
      ...measured,
      reason:
        reason ?? reasonOf(measured, candidate === used.candidate ? undefined : used, tolerance),
    })),
  };
}

function reasonOf(
  { milliseconds, difference = 0 }: Pick<ImplementationReport, 'milliseconds' | 'difference'>,
  /** Undefined: this is it. */
  used: Pick<Tried, 'milliseconds'> | undefined,
  { tf32 }: Tolerance,
): string {
  const agrees = `agrees to ${difference.toExponential(1)}${tf32 ? ' with TF32' : ''}`;
  const time = milliseconds === undefined ? 'not timed' : `takes ${milliseconds.toFixed(2)} ms`;
  if (used === undefined) return `${agrees}, ${time}`;
  const isFaster =
    milliseconds !== undefined &&
    used.milliseconds !== undefined &&
    milliseconds < used.milliseconds;
  return isFaster
    ? `${agrees}, ${time}, not enough less to be preferred`
    : `${agrees}, but ${time}`;
}
