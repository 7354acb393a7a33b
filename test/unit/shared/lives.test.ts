import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contains, type Life, lifeOf, livesAfter } from '../../../shared/lives.ts';

/** Somebody's copy of a run: every event of it, each of which is made once. */
interface Copy {
  readonly events: readonly { readonly made: number; readonly life?: string }[];
}

const historyOf = ({ events }: Copy) => ({
  lastSeq: events.length,
  lives: events.reduce<readonly Life[]>(
    (lives, { life }, index) => livesAfter(lives, { seq: index + 1, life }),
    [],
  ),
});

const isBeginning = (part: Copy, whole: Copy): boolean =>
  part.events.every(({ made }, index) => whole.events[index]?.made === made);

/** What a run may go through: it is trained on, copied up to some event, or goes on as a new life. */
const happening = fc.record({
  what: fc.constantFrom('train', 'receive', 'move'),
  copy: fc.nat(),
  amount: fc.integer({ min: 0, max: 4 }),
});

function copiesAfter(
  happenings: readonly { what: string; copy: number; amount: number }[],
): Copy[] {
  let made = 0;
  const train = (amount: number, life?: string) =>
    Array.from({ length: amount }, (_, index) => ({
      made: ++made,
      ...(index === 0 && life !== undefined ? { life } : {}),
    }));
  // The first is where it trains; of each life only the worker that has it makes events.
  const workers: Copy[] = [{ events: train(1, 'life 0') }];
  const received: Copy[] = [];
  for (const { what, copy, amount } of happenings) {
    const at = copy % workers.length;
    const worker = workers[at];
    if (!worker) throw new RangeError('no worker');
    const part = worker.events.slice(0, Math.max(0, worker.events.length - amount));
    if (what === 'train') workers[at] = { events: [...worker.events, ...train(amount)] };
    else if (what === 'receive') received.push({ events: part });
    else workers.push({ events: [...part, ...train(1, `life ${workers.length}`)] });
  }
  return [...workers, ...received];
}

describe('the lives of a run', () => {
  test('tell of each event which life it is of', () => {
    const lives = [
      { id: 'first', firstSeq: 1 },
      { id: 'second', firstSeq: 11 },
    ];
    expect([0, 1, 10, 11, 99].map((seq) => lifeOf({ lives }, seq))).toEqual([
      undefined,
      'first',
      'first',
      'second',
      'second',
    ]);
  });

  test('tell whether one copy is the beginning of another, however often a run was moved', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 12 }), (happenings) => {
        const copies = copiesAfter(happenings);
        for (const whole of copies) {
          for (const part of copies) {
            const told = contains(historyOf(whole), historyOf(part));
            expect(told).toBe(isBeginning(part, whole));
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
