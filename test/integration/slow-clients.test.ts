import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { NarrowLine } from './support/narrow-line.ts';
import { peakMemory } from './support/peak-memory.ts';
import { smallRun, WireClient } from './support/wire-client.ts';
import { homeWithToken } from './support/worker-process.ts';

const followers = 20;
const steps = 70;
const megabyte = 2 ** 20;

test('twenty clients on narrow lines cost the worker no memory for what they did not take, and get all of it', async () => {
  await using home = await homeWithToken();
  await using worker = home.start({
    environment: { SMALL_ENGINE_STEP_MS: '5', SMALL_ENGINE_SAMPLE_BYTES: '200000' },
  });
  using quick = await home.connect(worker);
  await using line = await NarrowLine.to((await worker.listening()).url, {
    toClient: megabyte / 8,
  });
  const token = await readFile(`${home.path}/given-token`, 'utf8');
  using open = new DisposableStack();
  const slow = await Promise.all(
    Array.from({ length: followers }, async () => {
      const client = open.use(await WireClient.connect(line.url, { token }));
      const taken = { client, inOrder: 0 };
      client.onEvent = ({ seq }) => {
        if (seq === taken.inOrder + 1) taken.inOrder = seq;
      };
      return taken;
    }),
  );
  await quick.request('run.start', { record: smallRun('one', steps / 10) });
  for (const { client } of slow) await client.request('run.follow', { run: 'one', fromSeq: 1 });
  const before = (await peakMemory(worker.child.pid ?? 0)) ?? 0;
  await quick.request('run.follow', { run: 'one', fromSeq: 1 });
  await quick.untilState('done');
  const last = quick.events.length;
  expect(slow.every(({ inOrder }) => inOrder < last)).toBe(true);
  line.widths = {};
  await slow[0]?.client.until(() => slow.every(({ inOrder }) => inOrder === last), 60_000);
  // Each had 14 MB to get: 280 MB, of which the worker may hold a read and a full socket for each.
  const grown = ((await peakMemory(worker.child.pid ?? 0)) ?? 0) - before;
  if (process.platform === 'linux') expect(grown).toBeLessThan(120 * megabyte);
}, 90_000);
