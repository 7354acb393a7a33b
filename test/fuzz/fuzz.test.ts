import { readdir, readlink } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fuzz } from './fuzzer.ts';
import { regressions } from './regressions.ts';
import type { Target } from './target.ts';
import { openWorker } from './targets/worker.ts';
import { openTargets } from './targets.ts';

let targets: readonly Target[];
beforeAll(async () => {
  targets = await openTargets();
});
afterAll(async () => {
  for (const target of targets) await target.close();
});

/** What this process has open of the folders in which is fuzzed. */
async function openFiles(): Promise<string[]> {
  const numbers = await readdir('/proc/self/fd');
  const links = numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => ''));
  return (await Promise.all(links)).filter((path) => path.includes('teletrain-fuzz-'));
}

test.runIf(process.platform === 'linux')(
  'a gateway that was ended holds no file open',
  async () => {
    const before = await openFiles();
    const worker = await openWorker();
    await worker.close();
    expect(await openFiles()).toEqual(before);
  },
);

const mebibyte = 2 ** 20;

test('50,000 mutated inputs are accepted or refused with a reason, and take no memory to speak of', {
  timeout: 400_000,
}, async () => {
  const report = await fuzz(targets, { seed: 5, inputs: 50_000 });
  expect(report.inputs).toBe(50_000);
  expect(report.peakBytes).toBeLessThan(1024 * mebibyte);
  // All of it was reached: what is accepted, what is refused by whom.
  const reached = [
    'frames: accepted',
    'frames: malformed-frame',
    'frames: malformed-message',
    'frames: malformed-batch',
    'worker: response',
    'worker: event',
    'worker: bad-params',
    'worker: read-only',
    'worker: closed 4400 malformed-frame',
    'worker: closed 4401 wrong-token',
    'worker: closed 4426 unsupported-version',
    'client: answer',
    'client: closes 4400 malformed-message',
    'tensors: malformed-batch',
    'tensor-link: malformed-batch',
    'tensor-link: failed',
    'websocket-bytes: messages',
    'websocket-bytes: no whole message',
    'websocket-bytes: WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
    'websocket-bytes: WS_ERR_EXPECTED_MASK',
    'files: journal read',
    'files: ledger read',
    'files: tokens.json tokens-unreadable',
  ];
  expect([...report.outcomes.keys()]).toEqual(expect.arrayContaining(reached));
  expect(
    [...report.outcomes.keys()].filter((outcome) => outcome.includes('tensor-memory')),
  ).not.toEqual([]);
});

test.each(regressions)('once did harm: $what', async ({ target: name, input, outcome }) => {
  const target = targets.find((one) => one.name === name);
  expect(await target?.run(input)).toContain(outcome);
});
