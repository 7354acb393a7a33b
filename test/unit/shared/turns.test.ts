import { expect, test } from 'vitest';
import { Turns } from '../../../shared/turns.ts';

test("work is done one after the other, and what fails is its asker's alone", async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = turns.take(async () => {
    await gate.promise;
    seen.push('first');
    throw new Error('no luck');
  });
  const second = turns.take(async () => seen.push('second'));
  gate.resolve();
  await expect(first).rejects.toThrow('no luck');
  expect(await second).toBe(2);
  await turns.settled();
  expect(seen).toEqual(['first', 'second']);
});
