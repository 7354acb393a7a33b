import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { smallRun, type WireClient } from './support/wire-client.ts';
import { homeWithToken, type WorkerProcess } from './support/worker-process.ts';

const environment = { SMALL_ENGINE_STEP_MS: '20' };
let home: Awaited<ReturnType<typeof homeWithToken>>;
let worker: WorkerProcess;
let anna: string;
let bert: string;
let runs = 0;
let run: string;
const open: WireClient[] = [];

beforeAll(async () => {
  home = await homeWithToken();
  worker = home.start({ environment });
});
afterAll(async () => {
  await worker.kill();
  await home[Symbol.asyncDispose]();
});
// New people at every test.
beforeEach(() => {
  [anna, bert] = [randomUUID(), randomUUID()];
  runs += 1;
  run = `run-${runs}`;
});
// Those of the test have left, and its run is over.
afterEach(async () => {
  const last = await connected(randomUUID());
  const from = await holderSeenBy(last);
  await last.request('control.take', from === undefined ? {} : { from });
  await stop(last).catch(() => {});
  await last.request('run.follow', { run, fromSeq: 1 });
  await last.untilState('stopped');
  for (const client of open.splice(0)) if (client.isOpen) await client.close();
});

async function connected(id: string): Promise<WireClient> {
  const client = await home.connect(worker, id);
  open.push(client);
  return client;
}
/** Anna, who has control by having started a run, and Bert. */
async function both(): Promise<[WireClient, WireClient]> {
  const clients = [await connected(anna), await connected(bert)] as const;
  await clients[0].request('run.start', { record: smallRun(run, 500) });
  return [...clients];
}
const stop = (client: WireClient, id?: string) =>
  client.request('run.stop', { run, when: 'now' }, id === undefined ? {} : { id });
const seenBy = (client: WireClient) => client.controls.at(-1);

test('who asks for a change first has control; another who is welcome is told so, and refused', async () => {
  const [one, two] = await both();
  await two.until(() => seenBy(two)?.holder?.connected === true && seenBy(one)?.yours === true);
  expect(seenBy(two)).toMatchObject({ yours: false, holder: { name: 'test' } });
  expect((await two.request('worker.info', {})).result.control).toEqual(seenBy(two));
  await expect(stop(two)).rejects.toMatchObject({
    code: 'not-controller',
    message: '"test" has control of this worker.',
    hint: expect.stringContaining('teletrain take'),
  });
  const upload = { run, checkpoint: 'step-000000001', file: 'state.json', offset: 0 };
  await expect(two.request('file.write', upload)).rejects.toMatchObject({ code: 'not-controller' });
  await expect(two.request('worker.stop', {})).rejects.toMatchObject({ code: 'not-controller' });
  // Another connection of the same installation has what that has.
  await stop(await connected(anna));
});

test('control passes by being taken, at once, and the run says so', async () => {
  const [one, two] = await both();
  await one.request('run.follow', { run, fromSeq: 1 });
  await two.until(() => seenBy(two)?.holder !== undefined);
  await two.request('control.take', { from: seenBy(two)?.holder?.id });
  await one.until(() => seenBy(one)?.yours === false);
  await expect(stop(one)).rejects.toMatchObject({ code: 'not-controller' });
  await one.until(() =>
    one.events.some(
      (event) => event.type === 'log' && event.message.includes('has control of this worker now'),
    ),
  );
  expect(worker.lines.some((line) => line.event === 'control' && line.from === 'test')).toBe(true);
  await stop(two);
});

test('it is not taken from somebody whom the person did not see', async () => {
  const [, two] = await both();
  await expect(two.request('control.take', { from: 'somebody' })).rejects.toMatchObject({
    code: 'control-moved',
  });
  await expect(two.request('control.take', {})).rejects.toMatchObject({ code: 'control-moved' });
});

test('it is free when its holder left, and not while a cut-off holder may come back', async () => {
  const [one, two] = await both();
  one.socket.terminate();
  await two.until(() => seenBy(two)?.holder?.connected === false);
  await expect(stop(two)).rejects.toMatchObject({ code: 'not-controller' });
  // Another program of the same installation, which only looks.
  const looks = await connected(anna);
  expect((await looks.request('worker.info', {})).result.control).toMatchObject({ yours: true });
  await looks.close();
  await two.until(() => seenBy(two)?.holder?.connected === false);
  await expect(stop(two)).rejects.toMatchObject({ code: 'not-controller' });
  const back = await connected(anna);
  await back.request('run.pause', { run });
  await back.close();
  await two.until(() => seenBy(two)?.holder?.connected === false);
  await stop(two);
});

test('it is free while its holder only asks how the worker is, as a list of workers does', async () => {
  const [one, two] = await both();
  await one.close();
  const glance = await home.connect(worker, anna, { glance: true });
  open.push(glance);
  expect((await glance.request('worker.info', {})).result.control).toMatchObject({ yours: true });
  expect((await two.request('worker.info', {})).result.control?.holder?.connected).toBe(false);
  await stop(two);
});

test('a request that was done before control passed is answered again, and one that was not is refused', async () => {
  const [one, two] = await both();
  const paused = { run };
  const answer = await one.request('run.pause', paused, { id: 'before' });
  one.socket.terminate();
  await two.until(() => seenBy(two)?.holder?.connected === false);
  await two.request('control.take', { from: seenBy(two)?.holder?.id });
  const back = await connected(anna);
  expect((await back.request('run.pause', paused, { id: 'before' })).result).toEqual(answer.result);
  await expect(stop(back, 'after')).rejects.toMatchObject({ code: 'not-controller' });
  // It was refused and not done, so when control is back, the same request is done.
  await back.request('control.take', { from: (await holderSeenBy(back)) ?? '' });
  await stop(back, 'after');
});

const holderSeenBy = async (client: WireClient) =>
  (await client.request('worker.info', {})).result.control?.holder?.id;

test('taking it is done once: sent again after it was taken back, it takes nothing', async () => {
  const [one, two] = await both();
  const annas = await holderSeenBy(two);
  await two.request('control.take', { from: annas }, { id: 'take' });
  await one.request('control.take', { from: await holderSeenBy(one) });
  await two.request('control.take', { from: annas }, { id: 'take' });
  expect((await one.request('worker.info', {})).result.control).toMatchObject({ yours: true });
});

test('it outlives the worker', async () => {
  const [, two] = await both();
  await two.request('control.take', { from: await holderSeenBy(two) });
  await worker.kill();
  worker = home.start({ environment });
  const back = await connected(anna);
  await expect(stop(back)).rejects.toMatchObject({ code: 'not-controller' });
  await stop(await connected(bert));
});

test('a client that does not know of control is sent no frame of it, and may train as ever', async () => {
  const old = await home.connect(worker, anna, { capabilities: undefined });
  open.push(old);
  await old.request('run.start', { record: smallRun(run, 500) });
  await stop(old);
  expect(old.controls).toEqual([]);
});
