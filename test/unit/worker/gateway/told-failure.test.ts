import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { toldFailure } from '../../../../worker/gateway/told-failure.ts';

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => error);

test.runIf(process.platform === 'linux')(
  "a full disk of the worker's is told to the client as that, with what to do",
  async () => {
    const error = await failureOf(writeFile('/dev/full', 'a line'));
    expect(toldFailure('run.start', error)).toMatchObject({
      code: 'disk-full',
      message: "The worker's disk is full.",
      hint: expect.stringContaining('Free some space on the worker'),
    });
  },
);

test("a disk that takes nothing is told with the system's own words", () => {
  for (const code of ['EIO', 'EROFS', 'EACCES', 'EPERM']) {
    const error = Object.assign(new Error(`${code}: no luck, open '/home'`), { code });
    expect(toldFailure('run.start', error)).toMatchObject({
      code: 'disk-failed',
      message: `The worker's disk failed: ${code}: no luck, open '/home'.`,
    });
  }
});

test('all else is a fault of the worker, of which its output says more', async () => {
  const faults = [new TypeError('no such thing'), 'gone', await failureOf(readFile('/no/such'))];
  for (const fault of faults) {
    expect(toldFailure('run.start', fault)).toMatchObject({
      code: 'internal',
      message: 'The worker failed at run.start.',
    });
  }
});
