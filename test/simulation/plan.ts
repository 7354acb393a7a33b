import { Chance } from './chance.ts';
import type { Deed } from './simulated-client.ts';
import type { EngineHabits } from './simulated-engine.ts';

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
  readonly entries: readonly Entry[];
}

export function planOf(seed: number): Plan {
  const chance = new Chance('plan', seed);
  const workers = chance.happens(0.15) ? 2 : 1;
  const clients = workers === 1 && chance.happens(0.25) ? 2 : 1;
  const ms = chance.spread(15_000, 300_000);
  const habits: EngineHabits = {
    stepMs: chance.spread(50, ms / 12),
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
  entries.push({ at: 10, kind: 'deed', client: 0, deed: startDeed(chance, who) });
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
    for (let count = 1 + chance.below(3); count > 0; count -= 1) {
      entries.push(...moveOf(chance.between(1_000, ms), chance));
    }
  }
  for (const entry of [...entries]) {
    if (entry.kind === 'deed' && chance.happens(0.3)) entries.push(behind(entry, chance, who));
  }
  // Some lives have trouble of one kind only, others of every kind.
  const kinds = chance.happens(0.5) ? troubles : [chance.oneOf(troubles), chance.oneOf(troubles)];
  const count = chance.happens(0.1) ? 0 : 1 + chance.below(9);
  some(count, (at) => ({ at, ...chance.oneOf(kinds)(chance, who) }) as Entry);
  return { seed, clients, workers, ms, habits, entries: entries.sort((a, b) => a.at - b.at) };
}

/** Whom something happens to. */
interface Who {
  readonly client: () => number;
  readonly worker: () => number;
  readonly line: () => ToWorker;
  /** As an entry of a disk names it. */
  readonly machine: () => number;
}

const startDeed = (chance: Chance, who: Who): Deed => ({
  ...{ do: 'start', epochs: 1 + chance.below(3) },
  worker: who.worker(),
});

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
function moveOf(at: number, chance: Chance): readonly Entry[] {
  const to = chance.below(2);
  const move: Entry = {
    ...{ at: at + chance.spread(200, 10_000), kind: 'deed', client: 0 },
    deed: { do: 'move', to, replace: chance.happens(0.3) },
  };
  const from = { client: 0, worker: 1 - to };
  const ms = chance.spread(20_000, 120_000);
  const before: readonly Entry[] = [
    { at, kind: 'deed', client: 0, deed: { do: 'stop', when: 'now' } },
    { at, kind: 'refuse', ...from, ms },
    { at, kind: 'silence', ...from, way: 'both', ms },
    { at, kind: 'worker-down', worker: from.worker, hasPower: chance.happens(0.5), ms },
  ];
  return chance.happens(0.2) ? [move] : [chance.oneOf(before), move];
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
