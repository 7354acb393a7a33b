import { Chance } from './chance.ts';
import type { Deed } from './simulated-client.ts';
import type { EngineHabits } from './simulated-engine.ts';
import type { TensorHabits } from './simulated-tensor-engine.ts';

/** Something that is decided before it happens, so that it can be left out to find a shorter story. */
export type Entry = { readonly at: number } & (
  | { readonly kind: 'deed'; readonly client: number; readonly deed: Deed }
  | (ToWorker & { readonly kind: 'cut'; readonly isHalfOpen: boolean })
  | (ToWorker & {
      readonly kind: 'silence';
      readonly way: 'both' | 'to-worker' | 'to-client';
      readonly ms: number;
    })
  | (ToWorker & { readonly kind: 'refuse'; readonly ms: number })
  | (ToWorker & { readonly kind: 'slow'; readonly ms: number; readonly times: number })
  | (ToWorker & {
      readonly kind: 'spoil';
      readonly to: 'worker' | 'client';
      readonly how: 'split' | 'truncated';
    })
  | {
      readonly kind: 'client-down';
      readonly client: number;
      readonly hasPower: boolean;
      readonly ms: number;
    }
  | { readonly kind: 'client-sleep'; readonly client: number; readonly ms: number }
  | { readonly kind: 'client-clock'; readonly client: number; readonly ms: number }
  | (OfWorker & { readonly kind: 'worker-down'; readonly hasPower: boolean; readonly ms: number })
  | (OfWorker & { readonly kind: 'worker-clock'; readonly ms: number })
  | (OfWorker & { readonly kind: 'engine-crash' })
  | (OfWorker & { readonly kind: 'tensor-crash' })
  | {
      readonly kind: 'disk';
      /** -1: the first worker's, -2: the second one's. */
      readonly client: number;
      readonly code: 'ENOSPC' | 'EIO';
      readonly probability: number;
      readonly ms: number;
    }
  | {
      readonly kind: 'slow-disk';
      readonly client: number;
      readonly times: number;
      readonly ms: number;
    }
);

/** The network between a client and one worker, or all of them. */
interface ToWorker {
  readonly client: number;
  readonly worker?: number;
}

/** The first worker, where none is named. */
interface OfWorker {
  readonly worker?: number;
}

/** All that is decided of one simulated life before it begins. */
export interface Plan {
  readonly seed: number;
  readonly clients: number;
  /** With more than one, runs are moved between them. */
  readonly workers: number;
  /** How long there is trouble; after that everything works. */
  readonly ms: number;
  readonly habits: EngineHabits;
  /** Where programs compute with tensors on the workers. */
  readonly tensors?: TensorHabits;
  readonly entries: readonly Entry[];
}

export function planOf(seed: number): Plan {
  const chance = new Chance('plan', seed);
  const workers = chance.happens(0.15) ? 2 : 1;
  const clients = workers === 1 && chance.happens(0.25) ? 2 : 1;
  const ms = chance.spread(15_000, 300_000);
  const habits: EngineHabits = {
    // A run that is to be moved must last.
    stepMs: workers > 1 ? chance.between(ms / 60, ms / 12) : chance.spread(50, ms / 12),
    weightBytes: chance.happens(0.05) ? 600_000 : chance.below(5_000),
    pictureBytes: chance.happens(0.05) ? 200_000 : chance.happens(0.1) ? 20 : 0,
    kept: 1 + chance.below(3),
  };
  const who: Who = {
    client: () => chance.below(clients),
    worker: () => chance.below(workers),
    line: () => ({
      client: chance.below(clients),
      ...(workers > 1 && chance.happens(0.7) ? { worker: chance.below(workers) } : {}),
    }),
    machine: () => (chance.happens(0.6) ? -1 - chance.below(workers) : chance.below(clients)),
  };
  const entries: Entry[] = [];
  const some = (count: number, make: (at: number) => Entry): void => {
    for (let index = 0; index < count; index += 1) entries.push(make(chance.between(1_000, ms)));
  };
  const first = startDeed(chance, who);
  const deed: Deed = workers > 1 ? { ...first, epochs: 3 + chance.below(6), worker: 0 } : first;
  entries.push({ at: 10, kind: 'deed', client: 0, deed });
  if (clients > 1) {
    entries.push({
      at: chance.between(2_000, ms / 2),
      kind: 'deed',
      client: 1,
      deed: { do: 'open' },
    });
  }
  some(chance.below(7), (at) => ({
    ...{ at, kind: 'deed', client: who.client() },
    deed: deedOf(chance, who),
  }));
  if (workers > 1) {
    const count = 1 + chance.below(3);
    for (let index = 0; index < count; index += 1) {
      const at = (ms * (index + chance.fraction())) / count + 4 * habits.stepMs;
      entries.push(...moveOf(at, chance, 1 - (index % 2), habits.stepMs));
    }
  }
  const tensors = chance.happens(0.25) ? tensorHabits(chance) : undefined;
  if (tensors) {
    some(1 + chance.below(5), (at) => ({
      ...{ at, kind: 'deed', client: who.client() },
      deed: computeDeed(chance, who, tensors),
    }));
    if (chance.happens(0.3)) {
      some(1, (at) => ({ at, kind: 'deed', client: who.client(), deed: { do: 'leave' } }));
    }
    if (chance.happens(0.2)) some(1, (at) => ({ at, kind: 'tensor-crash', worker: who.worker() }));
  }
  for (const entry of [...entries]) {
    if (entry.kind === 'deed' && chance.happens(entry.deed.do === 'compute' ? 0.5 : 0.3))
      entries.push(behind(entry, chance, who));
  }
  // Some lives have trouble of one kind only, others of every kind.
  const kinds = chance.happens(0.5) ? troubles : [chance.oneOf(troubles), chance.oneOf(troubles)];
  const count = chance.happens(0.1) ? 0 : 1 + chance.below(9);
  some(count, (at) => ({ at, ...chance.oneOf(kinds)(chance, who) }) as Entry);
  entries.sort((a, b) => a.at - b.at);
  return { seed, clients, workers, ms, habits, ...(tensors ? { tensors } : {}), entries };
}

function tensorHabits(chance: Chance): TensorHabits {
  // Those of more than a chunk are downloaded in parts, and many of the largest fill a window.
  const values = chance.happens(0.12)
    ? Math.floor(chance.spread(30_000, 500_000))
    : 1 + chance.below(9);
  const quotaBytes = chance.happens(0.2) ? 4 * values * (1 + chance.below(8)) : 1e9;
  return { values, quotaBytes, batchMs: chance.spread(1, 5_000) };
}

const computeDeed = (chance: Chance, who: Who, { values }: TensorHabits): Deed => ({
  ...{ do: 'compute', worker: who.worker() },
  commands: Math.floor(chance.spread(3, values > 10 ? 30 : 100)),
  salt: chance.below(1e9),
});

/** Whom something happens to. */
interface Who {
  readonly client: () => number;
  readonly worker: () => number;
  readonly line: () => ToWorker;
  /** As an entry of a disk names it. */
  readonly machine: () => number;
}

const startDeed = (chance: Chance, who: Who) =>
  ({ do: 'start', epochs: 1 + chance.below(3), worker: who.worker() }) as const;

function deedOf(chance: Chance, who: Who): Deed {
  const deeds: readonly Deed[] = [
    startDeed(chance, who),
    { do: 'open' },
    { do: 'open' },
    { do: 'pause' },
    { do: 'pause' },
    { do: 'resume' },
    { do: 'resume' },
    { do: 'stop', when: chance.happens(0.5) ? 'now' : 'epoch' },
    { do: 'change', epochs: 1 + chance.below(5) },
    { do: 'close' },
    { do: 'quit' },
    { do: 'list' },
  ];
  return chance.oneOf(deeds);
}

/** A run goes to another worker: after it was stopped, or because its own cannot be reached. */
function moveOf(at: number, chance: Chance, to: number, stepMs: number): readonly Entry[] {
  const move = (after: number): Entry => ({
    ...{ at: at + after, kind: 'deed', client: 0 },
    deed: { do: 'move', to, replace: chance.happens(0.3) },
  });
  const soon = chance.spread(200, 10_000);
  const from = { client: 0, worker: 1 - to };
  // What the client's network still holds is dropped, or it would be waited for.
  const cut: Entry = { at: at + 1, kind: 'cut', ...from, isHalfOpen: false };
  const ms = chance.spread(20_000, 120_000);
  const ways: readonly (readonly Entry[])[] = [
    [{ at, kind: 'deed', client: 0, deed: { do: 'stop', when: 'now' } }, move(2 * stepMs + soon)],
    [{ at, kind: 'refuse', ...from, ms }, cut, move(soon)],
    [{ at, kind: 'silence', ...from, way: 'both', ms }, cut, move(soon)],
    [{ at, kind: 'silence', ...from, way: 'both', ms }, move(soon)],
    [{ at, kind: 'worker-down', worker: 1 - to, hasPower: chance.happens(0.5), ms }, move(soon)],
  ];
  return chance.oneOf(ways);
}

/** The moment between doing and noting or telling it: what was asked must not be done again. */
function behind(
  { at: askedAt, client }: Extract<Entry, { kind: 'deed' }>,
  chance: Chance,
  who: Who,
): Entry {
  const at = askedAt + chance.spread(5, 500);
  const down = { hasPower: chance.happens(0.5), ms: chance.spread(500, 20_000) };
  return chance.oneOf<Entry>([
    { at, kind: 'cut', client, isHalfOpen: false },
    { at, kind: 'worker-down', worker: who.worker(), ...down },
    { at, kind: 'client-down', client, ...down },
  ]);
}

type WithoutTime<Thing> = Thing extends unknown ? Omit<Thing, 'at'> : never;
type Trouble = (chance: Chance, who: Who) => WithoutTime<Entry>;

const troubles: readonly Trouble[] = [
  (chance, who) => ({ kind: 'cut', ...who.line(), isHalfOpen: chance.happens(0.4) }),
  (chance, who) => ({
    ...{ kind: 'silence', ...who.line() },
    way: chance.oneOf(['both', 'to-worker', 'to-client']),
    ms: chance.spread(500, 120_000),
  }),
  (chance, who) => ({ kind: 'refuse', ...who.line(), ms: chance.spread(500, 120_000) }),
  (chance, who) => ({
    ...{ kind: 'slow', ...who.line() },
    ms: chance.spread(5_000, 120_000),
    times: chance.spread(2, 200),
  }),
  (chance, who) => ({
    ...{ kind: 'spoil', ...who.line() },
    to: chance.oneOf(['worker', 'client']),
    how: chance.oneOf(['split', 'truncated']),
  }),
  (chance, who) => ({
    ...{ kind: 'client-down', client: who.client() },
    hasPower: chance.happens(0.5),
    ms: chance.spread(500, 60_000),
  }),
  (chance, who) => ({
    ...{ kind: 'client-sleep', client: who.client() },
    ms: chance.spread(1_000, 3_600_000),
  }),
  (chance, who) => ({
    ...{ kind: 'client-clock', client: who.client() },
    ms: (chance.happens(0.5) ? 1 : -1) * chance.spread(1_000, 7_200_000),
  }),
  (chance, who) => ({
    ...{ kind: 'worker-down', worker: who.worker() },
    hasPower: chance.happens(0.5),
    ms: chance.spread(500, 60_000),
  }),
  (chance, who) => ({
    ...{ kind: 'worker-clock', worker: who.worker() },
    ms: (chance.happens(0.5) ? 1 : -1) * chance.spread(1_000, 7_200_000),
  }),
  (_, who) => ({ kind: 'engine-crash', worker: who.worker() }),
  (chance, who) => ({
    ...{ kind: 'disk', client: who.machine() },
    code: chance.oneOf(['ENOSPC', 'EIO']),
    probability: chance.oneOf([0.02, 0.2, 1]),
    ms: chance.spread(1_000, 60_000),
  }),
  (chance, who) => ({
    ...{ kind: 'slow-disk', client: who.machine() },
    times: chance.spread(5, 500),
    ms: chance.spread(1_000, 60_000),
  }),
];
