import { expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';
import { pingedUpload } from './support/pinged-upload.ts';
import { homeWithToken } from './support/worker-process.ts';

const endsWithTest = ['--parent-watch'];
const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * part)] ?? Number.NaN;

test('pings and requests pass an upload on their own connection', async () => {
  await using home = await homeWithToken();
  await using worker = home.start({ args: endsWithTest });
  const { url } = await worker.listening();
  const { ms, pings, requests } = await pingedUpload(url, { token: home.token }, 128);
  console.log({ ms, n: pings.length, p50: quantile(pings, 0.5), p99: quantile(pings, 0.99), max: Math.max(...pings), r50: quantile(requests, 0.5), r99: quantile(requests, 0.99) });
  // Behind a window of the upload a ping would take an eighth of the time that the whole takes.
  for (const trips of [pings, requests]) {
    expect(trips.length).toBeGreaterThan(5);
    expect(quantile(trips, 0.5)).toBeLessThan(ms / 20);
  }
});
