import { createRandom, type Random } from '../../worker/engine/random.ts';
import type { LineConditions } from './lane.ts';
import { type WorkloadName, workloads } from './workloads.ts';

/** When a fault begins: once the worker's journal holds this, and so much later. */
export type Moment = (
  | { readonly step: number }
  /** The n-th checkpoint of the run, from 1. */
  | { readonly checkpoint: number }
) & {
  readonly laterMs: number;
};

/** What happens to the run, and for how long. */
export type Trouble =
  /** Once so many more bytes have gone in that direction. */
  | {
      readonly kind: 'cut';
      readonly how: 'reset' | 'end';
      readonly direction: 'toWorker' | 'toClient';
      readonly afterBytes: number;
    }
  /** Nobody answers at the worker's address. */
  | { readonly kind: 'down'; readonly ms: number }
  | {
      readonly kind: 'half-open';
      readonly ms: number;
      readonly afterwards: 'forgotten' | 'silent';
    }
  /** A worse line than before, in both directions. */
  | { readonly kind: 'slow'; readonly ms: number; readonly bytesPerSecond: number }
  | { readonly kind: 'kill-engine' }
  | { readonly kind: 'kill-gateway'; readonly ms: number }
  | { readonly kind: 'kill-client'; readonly ms: number }
  /** No more than so many bytes can be written until somebody makes room. */
  | { readonly kind: 'worker-disk-full'; readonly room: number; readonly ms: number }
  | { readonly kind: 'client-disk-full'; readonly room: number; readonly ms: number };

export type TroubleKind = Trouble['kind'];

export interface Fault {
  readonly at: Moment;
  readonly trouble: Trouble;
}

/** All that is done to one run. A function of its seed and of what there is to draw from. */
export interface Schedule {
  readonly seed: number;
  readonly workload: WorkloadName;
  /**
   * `command`: the client is `teletrain run --json`, then `attach`. `program`: one of the session's
   * API that gives up a silent line after a second rather than after 40.
   */
  readonly client: 'command' | 'program';
  readonly line: { readonly toWorker: LineConditions; readonly toClient: LineConditions };
  readonly faults: readonly Fault[];
}

export interface DrawnFrom {
  readonly workloads: readonly WorkloadName[];
  readonly kinds: readonly TroubleKind[];
}

export const troubleKinds: readonly TroubleKind[] = [
  ...(['cut', 'down', 'half-open', 'slow', 'kill-engine', 'kill-gateway', 'kill-client'] as const),
  ...(['worker-disk-full', 'client-disk-full'] as const),
];

const mostFaults = 4;
/** Restarts take seconds, and an engine is started again three times only. */
const mostOf: Partial<Record<TroubleKind, number>> = { 'kill-engine': 2, 'kill-gateway': 2 };

export function drawSchedule(seed: number, from: DrawnFrom): Schedule {
  const random = createRandom(seed, 'schedule');
  const pick = <Value>(values: readonly Value[]): Value => {
    const value = values[random.nextBelow(values.length)];
    if (value === undefined) throw new Error('there is nothing to draw from');
    return value;
  };
  const workload = pick(from.workloads);
  const client = pick(['command', 'program', 'program'] as const);
  const line = { toWorker: drawConditions(random), toClient: drawConditions(random) };
  const drawn = new Map<TroubleKind, number>();
  const faults: Fault[] = [];
  for (let count = 1 + random.nextBelow(mostFaults); count > 0; count -= 1) {
    const possible = from.kinds.filter((kind) => (drawn.get(kind) ?? 0) < (mostOf[kind] ?? count));
    if (possible.length === 0) break;
    const kind = pick(possible);
    drawn.set(kind, (drawn.get(kind) ?? 0) + 1);
    faults.push({ at: drawMoment(random, workload), trouble: drawTrouble(kind, random, client) });
  }
  return { seed, workload, client, line, faults };
}

/** Half of all lines do nothing to the bytes; the others some of what lines do. */
function drawConditions(random: Random): LineConditions {
  if (random.nextBelow(2) === 0) return {};
  const sometimes = (): boolean => random.nextBelow(2) === 0;
  return {
    ...(sometimes() ? { delayMs: random.nextBelow(80) } : {}),
    ...(sometimes() ? { jitterMs: random.nextBelow(40) } : {}),
    ...(sometimes() ? { bytesPerSecond: 2 ** (17 + random.nextBelow(6)) } : {}),
    ...(sometimes() ? { pieceBytes: 2 ** (5 + random.nextBelow(12)) } : {}),
  };
}

function drawMoment(random: Random, workload: WorkloadName): Moment {
  const { epochs, stepsPerEpoch } = workloads[workload];
  // Most at once; some where the run is still busy with an earlier fault.
  const laterMs = random.nextBelow(4) === 0 ? random.nextBelow(3_000) : random.nextBelow(60);
  // Every epoch leaves a checkpoint, so the n-th comes whatever else happens.
  if (random.nextBelow(3) === 0) return { checkpoint: 1 + random.nextBelow(epochs), laterMs };
  return { step: random.nextBelow(epochs * stepsPerEpoch + 1), laterMs };
}

function drawTrouble(kind: TroubleKind, random: Random, client: Schedule['client']): Trouble {
  const below = (bound: number): number => random.nextBelow(bound);
  switch (kind) {
    case 'cut':
      return {
        kind,
        how: below(2) === 0 ? 'reset' : 'end',
        direction: below(2) === 0 ? 'toWorker' : 'toClient',
        // From nothing to several chunks of a file.
        afterBytes: below(2 ** (4 + below(17))),
      };
    case 'down':
      return { kind, ms: 50 + below(1_500) };
    case 'half-open':
      return {
        kind,
        ms: 50 + below(2_000),
        // Only a program that does not wait for 40 s finds out by itself.
        afterwards: client === 'program' && below(2) === 0 ? 'silent' : 'forgotten',
      };
    case 'slow':
      return { kind, ms: 200 + below(1_500), bytesPerSecond: 2 ** (11 + below(6)) };
    case 'kill-engine':
      return { kind };
    case 'kill-gateway':
    case 'kill-client':
      return { kind, ms: below(2) === 0 ? 0 : below(1_500) };
    case 'worker-disk-full':
    case 'client-disk-full':
      // From nothing at all to most of a checkpoint.
      return {
        kind,
        ms: 100 + below(1_500),
        room: below(3) === 0 ? 0 : below(2 ** (4 + below(16))),
      };
  }
}

/** One line for each fault, as a person reads it. */
export function describeSchedule({ workload, client, line, faults }: Schedule): string[] {
  const what = (value: object): string =>
    Object.entries(value)
      .map(([name, setting]) => `${name} ${setting}`)
      .join(', ');
  return [
    `${workload}, client: ${client}`,
    `line to the worker: ${what(line.toWorker) || 'good'}; to the client: ${what(line.toClient) || 'good'}`,
    ...faults.map(({ at, trouble: { kind, ...how } }) => {
      const { laterMs, ...moment } = at;
      return `at ${what(moment)}${laterMs > 0 ? ` + ${laterMs} ms` : ''}: ${kind} ${what(how)}`;
    }),
  ];
}
