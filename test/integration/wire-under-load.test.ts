import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';
import { encodeBatch } from '../../shared/tensors/batch.ts';
import { endsWithTest } from './session-set-up.ts';
import { NarrowLine } from './support/narrow-line.ts';
import { pingedUpload } from './support/pinged-upload.ts';
import { homeWithToken } from './support/worker-process.ts';

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

test('pings and requests pass an upload on their own connection', async () => {
  await using home = await homeWithToken();
  await using worker = home.start({ args: endsWithTest });
  const { url } = await worker.listening();
  const width = 16 * 2 ** 20;
  await using line = await NarrowLine.to(url, { toClient: width, toWorker: width });
  const { ms, pings, requests } = await pingedUpload(line.url, { token: home.token }, 32);
  // Behind a window of the upload they would take half of the time that all of it takes.
  for (const trips of [pings, requests]) {
    expect(trips.length).toBeGreaterThan(3);
    expect(median(trips)).toBeLessThan(ms / 4);
  }
});

/** Memory of a process as the system counts it. */
async function residentBytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

test.runIf(process.platform === 'linux')(
  'a client that reads large tensors and takes none fills no memory of the gateway',
  async () => {
    await using home = await homeWithToken();
    await using worker = home.start({ args: endsWithTest });
    using client = await home.connect(worker);
    const session = 'a-session-of-slow-reads';
    await client.request('tensor.open', { session, resume: false, got: 0 });
    const megabytes = 64;
    const reads = 3;
    const commands = [
      ['run', 'Fill', [], [[megabytes * 262_144], 1, 'float32'], [1]],
      ...Array.from({ length: reads }, (_, index) => ['read', index + 1, 1]),
    ];
    client.socket.pause();
    const before = await residentBytes(worker.child.pid);
    const payload = Buffer.concat(encodeBatch(commands));
    client.send('commands', { session, number: 1, got: 0 }, payload);
    // Its window fills, and then it grows no more.
    const isFilling = (bytes: number) => bytes - before > limits.tensorWindowBytes / 2;
    await expect
      .poll(async () => isFilling(await residentBytes(worker.child.pid)), { timeout: 30_000 })
      .toBe(true);
    let still = 0;
    let most = before;
    await expect
      .poll(
        async () => {
          const now = await residentBytes(worker.child.pid);
          still = now > most ? 0 : still + 1;
          most = Math.max(most, now);
          return still;
        },
        { interval: 100, timeout: 30_000 },
      )
      .toBeGreaterThan(10);
    expect(most - before).toBeLessThan(megabytes * 2 ** 20);
  },
);
