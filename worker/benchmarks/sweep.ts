import type { BenchmarkRequest, SweepLine, SweepReport } from '../../shared/benchmark-report.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { threadCount } from '../native/processor.ts';
import { layerOperations } from './arithmetic.ts';
import { beginDocument } from './machine.ts';
import type { MeasureOptions } from './measure.ts';
import { Participant } from './participant.ts';
import { participantProgram } from './participants.ts';
import { median } from './statistics.ts';

type Axis = SweepLine['axis'];
type Plan = Pick<SweepLine, 'layer' | 'axis' | 'fixed'> & { readonly values: readonly number[] };

const sequence = { batch: 128, timesteps: 100, units: 32 };
const sequenceAxes: Readonly<Record<Axis, readonly number[]>> = {
  batch: [1, 2, 4, 8, 16, 32, 64, 100, 128, 256],
  timesteps: [10, 20, 50, 100, 200, 500, 1000],
  // Also those that no vector's width divides.
  units: [8, 16, 32, 33, 48, 64, 100, 128, 200, 256, 384, 512],
};
const picture = { batch: 16, timesteps: 28 * 28, units: 32 };
const pictureAxes = {
  batch: [1, 2, 4, 8, 16, 32, 64],
  units: [8, 16, 32, 33, 48, 64, 100, 128],
} as const;

/** Every line of the sweep: one size grows and the others stay. */
const plans: readonly Plan[] = [
  ...(['SimpleRNN', 'GRU', 'LSTM'] as const).flatMap((layer) =>
    (['batch', 'timesteps', 'units'] as const).map((axis) => ({
      ...{ layer, axis, fixed: sequence, values: sequenceAxes[axis] },
    })),
  ),
  ...(['batch', 'units'] as const).map((axis) => ({
    ...{ layer: 'DiagonalLSTM' as const, axis, fixed: picture, values: pictureAxes[axis] },
  })),
];

/** A point is timed so long in every round. */
const pointMs = 60;
const mostSteps = 200;

/**
 * Times each recurrent layer alone, forward and backward, over batches, timesteps and units: every
 * round goes over all points, so that what disturbs the machine for a while disturbs one round of
 * many points and not one point.
 *
 * @throws TeletrainError `participant-failed`; the signal's reason.
 */
export async function sweep(
  { rounds }: BenchmarkRequest,
  { onProgress, signal }: MeasureOptions,
): Promise<SweepReport> {
  const endDocument = beginDocument(rounds);
  const threads = threadCount();
  const program = await participantProgram('teletrain', {}, threads);
  if ('reason' in program) throw new TypeError('Ours is always there.');
  let participant: Participant | undefined;
  const onAbort = () => void participant?.end();
  signal.addEventListener('abort', onAbort);
  try {
    const start = await Participant.start(program, (started) => {
      participant = started;
    });
    if ('missing' in start) {
      throw new TeletrainError('participant-failed', start.missing, { hint: program.remedy });
    }
    const times = plans.map(({ values }) => values.map((): number[] => []));
    const notes: (string | undefined)[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const [line, plan] of plans.entries()) {
        onProgress(`round ${round + 1} of ${rounds}: ${plan.layer} by ${plan.axis}`);
        for (const [place, value] of plan.values.entries()) {
          const size = { ...plan.fixed, [plan.axis]: value };
          const workload = { kind: 'layer', layer: plan.layer, ...size } as const;
          notes[line] = await start.participant.prepare(workload, threads);
          times[line]?.[place]?.push(await timePoint(start.participant));
        }
      }
    }
    return {
      ...endDocument(start.versions),
      lines: plans.map((plan, line) => lineOf(plan, times[line] ?? [], notes[line])),
    };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await participant?.end();
  }
}

/** Milliseconds of a step. */
async function timePoint(participant: Participant): Promise<number> {
  const first = (await participant.run(1, 1)).wall[0] ?? 0;
  const steps = Math.min(mostSteps, Math.max(1, Math.ceil(pointMs / Math.max(first, 0.001))));
  return median((await participant.run(0, steps)).wall);
}

function lineOf(
  { layer, axis, fixed, values }: Plan,
  times: readonly (readonly number[])[],
  note: string | undefined,
): SweepLine {
  const points = values.map((value, place) => {
    const milliseconds = median(times[place] ?? []);
    const operations = layerOperations({ layer, ...fixed, [axis]: value });
    const picosecondsAnOperation = (1e9 * milliseconds) / operations;
    return { value, milliseconds, operations, picosecondsAnOperation };
  });
  return { layer, axis, fixed, points, ...(note !== undefined && { note }) };
}
