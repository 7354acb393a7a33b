import type {
  CaseReport,
  Measurement,
  MissingParticipant,
  TargetVerdict,
} from '../../shared/benchmark-report.ts';
import type { BenchmarkCase, Target } from './cases.ts';
import { kinOfOurs, type ParticipantName, participantTitles } from './participants.ts';
import type { Turn } from './rounds.ts';
import { ratioOf, spreadOf } from './statistics.ts';

/** One participant's part in a case. */
export interface Result {
  readonly participant: ParticipantName;
  readonly title: string;
  readonly turns: readonly Turn[];
  readonly note?: string | undefined;
}

/**
 * The figures of a case from its turns.
 *
 * @param results ours first; none where ours could not be timed
 * @param product turns of the matrix product and its operations, where it was timed
 */
export function judgeCase(
  played: BenchmarkCase,
  results: readonly Result[],
  missing: readonly MissingParticipant[],
  product?: { readonly turns: readonly Turn[]; readonly operations: number },
): CaseReport {
  const ours = results[0] ? wallTimes(played, results[0]) : [];
  const measurements = results.map((result, index): Measurement => {
    const wall = wallTimes(played, result);
    return {
      participant: result.participant,
      title: result.title,
      wall: spreadOf(wall),
      processor: spreadOf(result.turns.map(({ processor }) => processor * scaleOf(played, result))),
      ...(index > 0 && { ratio: ratioOf(wall, ours) }),
      ...(result.note !== undefined && { note: result.note }),
    };
  });
  const report: CaseReport = {
    name: played.name,
    title: played.title,
    unit: played.unit,
    measurements,
    missing: [...missing],
    targets: [],
  };
  if (product && played.arithmetic && ours.length > 0) {
    const { operations, formula } = played.arithmetic;
    const bestMs = Math.min(...product.turns.map(({ best }) => best));
    const milliseconds = (operations / product.operations) * bestMs;
    report.limit = {
      ...{ operations, formula, milliseconds },
      gigaflops: product.operations / bestMs / 1e6,
      ratio: spreadOf(ours.map((time) => time / milliseconds)),
    };
  }
  report.targets = played.targets.map((target) => judgeTarget(target, report));
  return report;
}

const scaleOf = (played: BenchmarkCase, { participant }: Result): number =>
  played.scale?.(participant) ?? 1;

const wallTimes = (played: BenchmarkCase, result: Result): number[] =>
  result.turns.map(({ wall }) => wall * scaleOf(played, result));

/** e.g. `>= 5x Keras`. */
export function targetText(target: Target): string {
  if ('atMostMs' in target) return `<= ${target.atMostMs / 1000} s`;
  if ('withinLimit' in target) return `within ${target.withinLimit}x`;
  const than = target.than === 'best peer' ? 'the best peer' : participantTitles[target.than];
  return `>= ${target.atLeast}x ${than}`;
}

function judgeTarget(target: Target, report: CaseReport): TargetVerdict {
  const text = targetText(target);
  const judged = (about: string, value: number | undefined, isMet: (value: number) => boolean) =>
    ({
      ...{ text, about },
      ...(value !== undefined && { value }),
      verdict: value === undefined ? 'not measured' : isMet(value) ? 'met' : 'missed',
    }) as TargetVerdict;
  if ('atMostMs' in target) {
    const value = report.measurements[0]?.wall.median;
    return judged('teletrain', value, (ms) => ms <= target.atMostMs);
  }
  if ('withinLimit' in target) {
    return judged('limit', report.limit?.ratio.median, (ratio) => ratio <= target.withinLimit);
  }
  const about = target.than === 'best peer' ? bestPeer(report) : target.than;
  const compared = report.measurements.find(({ participant }) => participant === about);
  return judged(about ?? 'best peer', compared?.ratio?.median, (ratio) => ratio >= target.atLeast);
}

function bestPeer({ measurements }: CaseReport): string | undefined {
  const peers = measurements.filter(({ participant }) => !kinOfOurs.includes(participant));
  const best = peers.reduce<Measurement | undefined>(
    (fastest, peer) => (fastest && fastest.wall.median <= peer.wall.median ? fastest : peer),
    undefined,
  );
  return best?.participant;
}
