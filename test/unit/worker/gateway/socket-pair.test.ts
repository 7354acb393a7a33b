import { once } from 'node:events';
import { expect, test } from 'vitest';
import { socketPair } from '../../../../worker/gateway/socket-pair.ts';

test('what is written at one end of a pair is read into the other’s own memory', async () => {
  const memory = Buffer.alloc(1_000);
  let filled = 0;
  const read = Promise.withResolvers<void>();
  const { ours, theirs } = await socketPair({
    buffer: () => memory.subarray(filled),
    callback: (length) => {
      filled += length;
      if (filled === 11) read.resolve();
      return true;
    },
  });
  theirs.write('hello ');
  theirs.write('world');
  await read.promise;
  expect(memory.toString('latin1', 0, filled)).toBe('hello world');
  ours.write('and back');
  theirs.resume();
  const [answer] = await once(theirs, 'data');
  expect(String(answer)).toBe('and back');
  theirs.destroy();
  await once(ours, 'close');
});
