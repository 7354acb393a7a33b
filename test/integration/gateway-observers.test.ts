import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeCodes } from '../../shared/limits.ts';
import { smallRun, WireClient } from './support/wire-client.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

let home: Awaited<ReturnType<typeof temporaryHome>>;
let worker: WorkerProcess;
let url: string;
let controller: WireClient;
const laptop = randomUUID();

beforeAll(async () => {
  home = await temporaryHome();
  worker = new WorkerProcess(home.path, { environment: { SMALL_ENGINE_STEP_MS: '5' } });
  const listening = await worker.listening();
  url = listening.url;
  controller = await WireClient.connect(url, { code: listening.code }, laptop);
});
afterAll(async () => {
  await worker.kill();
  await home[Symbol.asyncDispose]();
});

const invited = async () => (await controller.request('observer.invite', {})).result.code;

test('a controller invites an observer, who sees a run to its end and its files, and can change nothing', async () => {
  const code = await invited();
  using observer = await WireClient.connect(url, { code });
  expect(observer.welcome).toMatchObject({ role: 'observe', token: expect.any(String) });
  expect(await worker.line('paired', ({ role }) => role === 'observe')).toBeDefined();

  await controller.request('run.start', { record: smallRun('watched', 2) });
  await observer.request('run.follow', { run: 'watched', fromSeq: 1 });
  await expect(observer.request('run.stop', { run: 'watched', when: 'now' })).rejects.toMatchObject(
    {
      code: 'read-only',
    },
  );
  await observer.untilState('done');
  expect(observer.events.map(({ seq }) => seq)).toEqual(observer.events.map((_, at) => at + 1));
  const { checkpoints } = (await observer.request('checkpoint.list', { run: 'watched' })).result;
  const checkpoint = checkpoints.at(-1)?.id ?? '';
  const file = { run: 'watched', checkpoint, file: 'manifest.json', offset: 0, length: 1000 };
  expect((await observer.request('file.read', file)).payload.byteLength).toBeGreaterThan(0);
  expect((await observer.request('run.list', {})).result.runs).toHaveLength(1);

  // Its token says the same on the next connection.
  using again = await WireClient.connect(url, { token: observer.welcome?.token ?? '' });
  expect(again.welcome).toMatchObject({ role: 'observe' });
  await expect(again.request('observer.invite', {})).rejects.toMatchObject({ code: 'read-only' });
  await expect(again.request('worker.stop', {})).rejects.toMatchObject({ code: 'read-only' });
  expect(worker.child.exitCode).toBeNull();
});

test('an observer stays one when the worker is started anew', async () => {
  await using own = await temporaryHome();
  const first = new WorkerProcess(own.path);
  const { url: at, code } = await first.listening();
  const owner = await WireClient.connect(at, { code });
  const invitation = (await owner.request('observer.invite', {})).result;
  const observer = await WireClient.connect(at, { code: invitation.code });
  await first.kill();
  await using second = new WorkerProcess(own.path);
  const token = observer.welcome?.token ?? '';
  using back = await WireClient.connect((await second.listening()).url, { token });
  expect(back.welcome?.role).toBe('observe');
});

test('an observer whose access is revoked is shown out at once with the reason, and nobody else', async () => {
  const named = (await controller.request('observer.invite', { name: 'Ada' })).result.code;
  using observer = await WireClient.connect(url, { code: named });
  const token = observer.welcome?.token ?? '';
  using second = await WireClient.connect(url, { token }, observer.clientId);
  using other = await WireClient.connect(url, { code: await invited() });
  const { observers } = (await controller.request('observer.list', {})).result;
  const [ada, ...namesakes] = observers.filter(({ name }) => name === 'Ada');
  expect(namesakes).toEqual([]);
  expect(ada).toMatchObject({ client: 'test', connections: 2 });
  await expect(other.request('observer.list', {})).rejects.toMatchObject({ code: 'read-only' });
  const { id } = ada ?? { id: '' };
  await expect(other.request('observer.revoke', { id })).rejects.toMatchObject({
    code: 'read-only',
  });

  await controller.request('observer.revoke', { id });
  for (const shownOut of [observer, second]) {
    expect((await shownOut.closed).code).toBe(closeCodes.unauthorised);
    expect(shownOut.complaints[0]?.code).toBe('access-revoked');
  }
  expect(await worker.line('revoked')).toMatchObject({ observer: 'Ada', by: 'test' });
  await expect(WireClient.connect(url, { token }, observer.clientId)).rejects.toMatchObject({
    code: 'access-revoked',
  });
  expect((await other.request('run.list', {})).result.runs.length).toBeGreaterThan(0);
  const left = (await controller.request('observer.list', {})).result.observers;
  expect(left).toEqual(observers.filter((known) => known.id !== id));
  // Found done by who asks again without knowing of the answer.
  await controller.request('observer.revoke', { id });
  await expect(controller.request('observer.revoke', { id: 'nobody' })).rejects.toMatchObject({
    code: 'unknown-observer',
  });
});

test('an invitation works once, and no more when another was made', async () => {
  const first = await invited();
  const second = await invited();
  await expect(WireClient.connect(url, { code: first })).rejects.toMatchObject({
    code: 'wrong-code',
  });
  (await WireClient.connect(url, { code: second })).socket.terminate();
  await expect(WireClient.connect(url, { code: second })).rejects.toMatchObject({
    code: 'wrong-code',
  });
});

test('the code for an observer does not take from a controller what it may do', async () => {
  const code = await invited();
  const tried = await WireClient.open(url, laptop);
  tried.hello({ code });
  expect((await tried.closed).code).toBe(closeCodes.unauthorised);
  expect(tried.complaints[0]?.code).toBe('may-control-already');
  using back = await WireClient.connect(url, { token: controller.welcome?.token ?? '' }, laptop);
  expect(back.welcome?.role).toBe('control');
});

test('a batch of tensor commands of an observer is answered with its end, and the connection stays', async () => {
  using observer = await WireClient.connect(url, { code: await invited() });
  observer.send('commands', { session: 'a-tensor-session', number: 1, got: 0 }, new Uint8Array(16));
  await observer.until(() => observer.ended.length > 0);
  expect(observer.ended[0]?.code).toBe('read-only');
  expect(await observer.ping()).toBeGreaterThan(0);
});
