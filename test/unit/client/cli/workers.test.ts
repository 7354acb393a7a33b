import { expect, it } from 'vitest';
import { workerTable } from '../../../../client/cli/commands/workers.ts';

const worker = (name: string) => ({ name, url: `ws://${name}`, local: false, addedAt: 0 });

it('a worker that could not be asked is a row, and what happened and what to do stands below', () => {
  const lost = { code: 'worker-lost', message: 'It cannot be reached.', hint: 'See that it runs.' };
  const revoked = { code: 'revoked', message: 'Access was revoked.', hint: 'Pair again.' };
  expect(
    workerTable([
      { worker: worker('a'), error: lost },
      { worker: worker('b'), error: revoked },
    ]),
  ).toEqual([
    'worker  address  round trip  run        control  engine',
    'a       ws://a   -           no answer',
    'b       ws://b   -           refused',
    'a: It cannot be reached. See that it runs.',
    'b: Access was revoked. Pair again.',
  ]);
});
