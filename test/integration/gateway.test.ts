import { expect, test } from 'vitest';
import { smallRun, WireClient } from './support/wire-client.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

test('a client pairs by the code, comes back by its token, starts a run and gets every event of it', async () => {
  await using home = await temporaryHome();
  await using worker = new WorkerProcess(home.path);
  const { url, code } = await worker.listening();
  const first = await WireClient.connect(url, { code });
  const token = first.welcome?.token ?? '';
  await first.close();
  using client = await WireClient.connect(url, { token }, first.clientId);
  await client.request('run.start', { record: smallRun('tiny', 2) });
  await client.request('run.follow', { run: 'tiny', fromSeq: 1 });
  await client.untilState('done');
  expect(client.events.map((event) => event.seq)).toEqual(
    client.events.map((_, index) => index + 1),
  );
  expect((await worker.stop()).code).toBe(0);
});
