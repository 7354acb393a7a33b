import { Chance } from './chance.ts';
import type { Deed } from './simulated-client.ts';
import type { EngineHabits } from './simulated-engine.ts';

/** Something that is decided before it happens, so that it can be left out to find a shorter story. */
export type Entry = { readonly at: number } & (
  | { readonly kind: 'deed'; readonly client: number; readonly deed: Deed }
  | { readonly kind: 'cut'; readonly client: number; readonly isHalfOpen: boolean }
  | {
      readonly kind: 'silence';
      readonly client: number;
      readonly way: 'both' | 'to-worker' | 'to-client';
      readonly ms: number;
    }
  | { readonly kind: 'refuse'; readonly client: number; readonly ms: number }
  | { readonly kind: 'slow'; readonly client: number; readonly ms: number; readonly times: number }
  | {
      readonly kind: 'spoil';
      readonly client: number;
      readonly to: 'worker' | 'client';
      readonly how: 'split' | 'truncated';
    }
  | {
      readonly kind: 'client-down';
      readonly client: number;
      readonly hasPower: boolean;
      readonly ms: number;
    }
  | { readonly kind: 'client-sleep'; readonly client: number; readonly ms: number }
  | { readonly kind: 'client-clock'; readonly client: number; readonly ms: number }
  | { readonly kind: 'worker-down'; readonly hasPower: boolean; readonly ms: number }
  | { readonly kind: 'worker-clock'; readonly ms: number }
  | { readonly kind: 'engine-crash' }
  | {
      readonly kind: 'disk';
      /** -1: the worker's. */
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

/** All that is decided of one simulated life before it begins. */
export interface Plan {
  readonly seed: number;
  readonly clients: number;
  /** How long there is trouble; after that everything works. */
  readonly ms: number;
  readonly habits: EngineHabits;
  readonly entries: readonly Entry[];
}

export function planOf(seed: number): Plan {
  const chance = new Chance('plan', seed);
  const clients = chance.happens(0.25) ? 2 : 1;
  const ms = chance.spread(15_000, 300_000);
  const habits: EngineHabits = {
    stepMs: chance.spread(50, ms / 12),
    weightBytes: chance.happens(0.05) ? 600_000 : chance.below(5_000),
    pictureBytes: chance.happens(0.05) ? 200_000 : chance.happens(0.1) ? 20 : 0,
    kept: 1 + chance.below(3),
  };
  const entries: Entry[] = [];
  const somebody = (): number => chance.below(clients);
  const some = (count: number, make: (at: number) => Entry): void => {
    for (let index = 0; index < count; index += 1) entries.push(make(chance.between(1_000, ms)));
  };
  entries.push({ at: 10, kind: 'deed', client: 0, deed: startDeed(chance) });
  if (clients > 1) {
    entries.push({
      at: chance.between(2_000, ms / 2),
      kind: 'deed',
      client: 1,
      deed: { do: 'open' },
    });
  }
  some(chance.below(7), (at) => ({ at, kind: 'deed', client: somebody(), deed: deedOf(chance) }));
  for (const entry of [...entries]) {
    if (entry.kind !== 'deed' || !chance.happens(0.3)) continue;
    // The moment between doing and noting or telling it: what was asked must not be done again.
    const at = entry.at + chance.spread(5, 500);
    const { client } = entry;
    const hasPower = chance.happens(0.5);
    const ms = chance.spread(500, 20_000);
    entries.push(
      chance.oneOf<Entry>([
        { at, kind: 'cut', client, isHalfOpen: false },
        { at, kind: 'worker-down', hasPower, ms },
        { at, kind: 'client-down', client, hasPower, ms },
      ]),
    );
  }
  // Some lives have trouble of one kind only, others of every kind.
  const kinds = chance.happens(0.5) ? troubles : [chance.oneOf(troubles), chance.oneOf(troubles)];
  const count = chance.happens(0.1) ? 0 : 1 + chance.below(9);
  some(count, (at) => ({ at, ...chance.oneOf(kinds)(chance, somebody) }) as Entry);
  return { seed, clients, ms, habits, entries: entries.sort((a, b) => a.at - b.at) };
}

const startDeed = (chance: Chance): Deed => ({ do: 'start', epochs: 1 + chance.below(3) });

function deedOf(chance: Chance): Deed {
  const deeds: readonly Deed[] = [
    startDeed(chance),
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

type WithoutTime<Thing> = Thing extends unknown ? Omit<Thing, 'at'> : never;
type Trouble = (chance: Chance, somebody: () => number) => WithoutTime<Entry>;

const troubles: readonly Trouble[] = [
  (chance, somebody) => ({ kind: 'cut', client: somebody(), isHalfOpen: chance.happens(0.4) }),
  (chance, somebody) => ({
    kind: 'silence',
    client: somebody(),
    way: chance.oneOf(['both', 'to-worker', 'to-client']),
    ms: chance.spread(500, 120_000),
  }),
  (chance, somebody) => ({
    kind: 'refuse',
    client: somebody(),
    ms: chance.spread(500, 120_000),
  }),
  (chance, somebody) => ({
    kind: 'slow',
    client: somebody(),
    ms: chance.spread(5_000, 120_000),
    times: chance.spread(2, 200),
  }),
  (chance, somebody) => ({
    kind: 'spoil',
    client: somebody(),
    to: chance.oneOf(['worker', 'client']),
    how: chance.oneOf(['split', 'truncated']),
  }),
  (chance, somebody) => ({
    kind: 'client-down',
    client: somebody(),
    hasPower: chance.happens(0.5),
    ms: chance.spread(500, 60_000),
  }),
  (chance, somebody) => ({
    kind: 'client-sleep',
    client: somebody(),
    ms: chance.spread(1_000, 3_600_000),
  }),
  (chance, somebody) => ({
    kind: 'client-clock',
    client: somebody(),
    ms: (chance.happens(0.5) ? 1 : -1) * chance.spread(1_000, 7_200_000),
  }),
  (chance) => ({
    kind: 'worker-down',
    hasPower: chance.happens(0.5),
    ms: chance.spread(500, 60_000),
  }),
  (chance) => ({
    kind: 'worker-clock',
    ms: (chance.happens(0.5) ? 1 : -1) * chance.spread(1_000, 7_200_000),
  }),
  () => ({ kind: 'engine-crash' }),
  (chance, somebody) => ({
    kind: 'disk',
    client: chance.happens(0.6) ? -1 : somebody(),
    code: chance.oneOf(['ENOSPC', 'EIO']),
    probability: chance.oneOf([0.02, 0.2, 1]),
    ms: chance.spread(1_000, 60_000),
  }),
  (chance, somebody) => ({
    kind: 'slow-disk',
    client: chance.happens(0.6) ? -1 : somebody(),
    times: chance.spread(5, 500),
    ms: chance.spread(1_000, 60_000),
  }),
];
