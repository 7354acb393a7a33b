import { expect, it } from 'vitest';
import { playRounds } from '../../../../worker/benchmarks/rounds.ts';

/** Contenders that take so many milliseconds a step; what was asked of them is kept. */
function contenders(milliseconds: Readonly<Record<string, number>>) {
  const asked: { name: string; warm: number; steps: number }[] = [];
  let running = 0;
  const all = Object.entries(milliseconds).map(([name, ms]) => ({
    name,
    async run(warm: number, steps: number) {
      expect(running, 'nobody else runs').toBe(0);
      running += 1;
      asked.push({ name, warm, steps });
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return { wall: new Array<number>(steps).fill(ms), processor: 2 * ms * steps };
    },
  }));
  return { all, asked };
}

it('in every round each takes one turn, never two at once, and another one begins', async () => {
  const { all, asked } = contenders({ a: 2000, b: 2000, c: 2000 });
  await playRounds(all, 4);
  const turns = asked.slice(3).map(({ name }) => name);
  expect(turns.join('')).toBe('abcbcacababc');
});

it('a short step is warmed up and timed often, a long one only once', async () => {
  const { all, asked } = contenders({ short: 10, long: 3000 });
  await playRounds(all, 1);
  expect(asked.slice(-2)).toEqual([
    { name: 'short', warm: 1, steps: 40 },
    { name: 'long', warm: 0, steps: 1 },
  ]);
});

it('gives each one’s time of a step, round by round', async () => {
  const { all } = contenders({ a: 10, b: 3000 });
  const turns = await playRounds(all, 2);
  expect(turns.get('a')).toEqual(new Array(2).fill({ wall: 10, best: 10, processor: 20 }));
  expect(turns.get('b')).toHaveLength(2);
});

it('goes on without one that could not do its part, and gives no figure of it', async () => {
  const { all, asked } = contenders({ a: 2000, b: 2000, c: 2000 });
  let calls = 0;
  const fails = { name: 'fails', run: async () => (calls++ < 2 ? all[0]?.run(0, 1) : undefined) };
  const turns = await playRounds([...all, fails], 4);
  expect(calls).toBe(3);
  expect([...turns].map(([name, { length }]) => [name, length])).toEqual([
    ...[
      ['a', 4],
      ['b', 4],
      ['c', 4],
    ],
  ]);
  expect(asked.slice(-3).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
});

it('ends at once where nobody is left', async () => {
  const rounds: number[] = [];
  const turns = await playRounds([{ name: 'a', run: async () => undefined }], 1000, (round) =>
    rounds.push(round),
  );
  expect([turns.size, rounds.length]).toEqual([0, 0]);
});
