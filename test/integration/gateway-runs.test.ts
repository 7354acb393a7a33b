import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RunEvent } from '../../shared/events.ts';
import { closeCodes, limits } from '../../shared/limits.ts';
import { smallRun } from './support/wire-client.ts';
import { homeWithToken } from './support/worker-process.ts';

const states = (events: readonly RunEvent[]) =>
  events.flatMap((event) =>
    event.type === 'state' ? [event.reason ? `${event.state} ${event.reason}` : event.state] : [],
  );
const numbers = (events: readonly RunEvent[]) => events.map((event) => event.seq);
const enginePid = (events: readonly RunEvent[]): number => {
  const logs = events.flatMap((event) =>
    event.type === 'log' ? [/^engine process (\d+)$/.exec(event.message)?.[1]] : [],
  );
  return Number(logs.filter(Boolean).at(-1));
};
/** A process that only waits to be reaped by its new parent does not run. */
const isRunning = async (pid: number): Promise<boolean> => {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text !== undefined && text.slice(text.lastIndexOf(')') + 2)[0] !== 'Z';
};
const isSteps = (count: number) => (events: readonly RunEvent[]) =>
  events.filter((event) => event.type === 'metric').length >= count;

test('a run is paused, continued, changed and stopped after its epoch; meanwhile no other starts', async () => {
  await using home = await homeWithToken();
  await using worker = home.start();
  using client = await home.connect(worker);
  await client.request('run.start', { record: smallRun('one', 100) });
  await client.request('run.follow', { run: 'one', fromSeq: 1 });
  await client.untilState('running');
  await client.request('run.pause', { run: 'one' });
  await client.untilState('paused');
  await expect(client.request('run.start', { record: smallRun('two') })).rejects.toMatchObject({
    code: 'worker-busy',
  });
  await client.request('run.resume', { run: 'one' });
  await client.until(
    () => states(client.events).filter((state) => state === 'running').length === 2,
  );
  await client.request('run.change', { run: 'one', epochs: 50, patience: 3 });
  await client.request('run.stop', { run: 'one', when: 'epoch' });
  await client.untilState('stopped');
  expect(states(client.events)).toEqual([
    'starting',
    'running',
    'paused',
    'running',
    'stopped stop-epoch',
  ]);
  expect(client.events).toContainEqual(
    expect.objectContaining({ type: 'change', epochs: 50, patience: 3 }),
  );
  expect(client.events.findLast((event) => event.type === 'checkpoint')).toBeDefined();
  await expect(client.request('run.pause', { run: 'one' })).rejects.toMatchObject({
    code: 'run-not-active',
  });
  await client.request('run.start', { record: smallRun('two') });
  expect(
    (await client.request('run.list', {})).result.runs.map(({ record }) => record.id).sort(),
  ).toEqual(['one', 'two']);
});

test('stopped now, a run leaves a checkpoint and goes on from it when it is resumed', async () => {
  await using home = await homeWithToken();
  await using worker = home.start();
  using client = await home.connect(worker);
  await client.request('run.start', { record: smallRun('one', 1000) });
  await client.request('run.follow', { run: 'one', fromSeq: 1 });
  await client.until(() => isSteps(3)(client.events));
  await client.request('run.stop', { run: 'one', when: 'now' });
  await client.untilState('stopped');
  const { epoch } = (await client.request('run.list', {})).result.runs[0] ?? { epoch: 0 };
  await client.request('run.resume', { run: 'one' });
  await client.request('run.change', { run: 'one', epochs: epoch + 1 });
  await client.untilState('done');
  expect(states(client.events)).toEqual([
    ...['starting', 'running', 'stopped stop-now'],
    ...['starting resumed', 'running', 'done epochs'],
  ]);
  const steps = client.events.flatMap((event) => (event.type === 'metric' ? [event.step] : []));
  expect(steps).toEqual(steps.map((_, index) => index + 1));
  expect(client.events.some((event) => event.type === 'rewind')).toBe(false);
});

test('a run that is done is not resumed until its epochs are raised; then it goes on from its end', async () => {
  await using home = await homeWithToken();
  await using worker = home.start();
  using client = await home.connect(worker);
  await client.request('run.start', { record: smallRun('one', 2) });
  await client.request('run.follow', { run: 'one', fromSeq: 1 });
  await client.untilState('done');
  const refused = { code: 'run-done', hint: expect.stringContaining('teletrain change one') };
  await expect(client.request('run.resume', { run: 'one' })).rejects.toMatchObject(refused);
  await expect(client.request('run.pause', { run: 'one' })).rejects.toMatchObject({
    code: 'run-not-active',
    hint: expect.stringContaining('--epochs'),
  });
  await client.request('run.change', { run: 'one', epochs: 1 });
  await client.request('run.change', { run: 'one', patience: 9 });
  await expect(client.request('run.resume', { run: 'one' })).rejects.toMatchObject(refused);
  await client.request('run.change', { run: 'one', epochs: 3 });
  // What was changed outlives the worker.
  client.socket.terminate();
  await worker.stop();
  await using next = home.start();
  using again = await home.connect(next);
  await again.request('run.follow', { run: 'one', fromSeq: client.events.length + 1 });
  await again.request('run.resume', { run: 'one' });
  await again.untilState('done');
  const events = [...client.events, ...again.events];
  expect(numbers(events)).toEqual(events.map((_, index) => index + 1));
  const steps = events.flatMap((event) => (event.type === 'metric' ? [event.step] : []));
  expect(steps).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
  await expect(again.request('run.resume', { run: 'one' })).rejects.toMatchObject(refused);
});

/** Steps follow one another, and after a crash those after the last checkpoint's, the voided ones rewound. */
function expectStepsFromCheckpoints(events: readonly RunEvent[]): void {
  let saved = 0;
  let step = 0;
  for (const event of events) {
    if (event.type === 'checkpoint') saved = event.step;
    if (event.type === 'rewind') {
      expect(event.toStep).toBe(saved);
      step = saved;
    }
    if (event.type === 'metric' && event.per === 'step') {
      expect(event.step).toBe(step + 1);
      step = event.step;
    }
  }
  expect(saved).toBeGreaterThanOrEqual(10);
}

test('an engine that is killed is started again at most three times, from the last checkpoint, and then the run fails', async () => {
  await using home = await homeWithToken();
  await using worker = home.start({ environment: { SMALL_ENGINE_STEP_MS: '10' } });
  using client = await home.connect(worker);
  await client.request('run.start', { record: smallRun('one', 1000) });
  await client.request('run.follow', { run: 'one', fromSeq: 1 });
  await client.until(() => isSteps(13)(client.events));
  let killed = 0;
  while (killed <= limits.engineRestarts) {
    const pid = enginePid(client.events);
    process.kill(pid, 'SIGKILL');
    killed += 1;
    if (killed <= limits.engineRestarts) await client.until(() => enginePid(client.events) !== pid);
  }
  await client.untilState('failed');
  const recovering = Array.from({ length: limits.engineRestarts }, () => [
    'recovering engine-crashed',
    'running',
  ]).flat();
  expect(states(client.events)).toEqual([
    'starting',
    'running',
    ...recovering,
    'failed engine-crashed',
  ]);
  expectStepsFromCheckpoints(client.events);
  expect(numbers(client.events)).toEqual(client.events.map((_, index) => index + 1));
  // The worker itself is well: the run can be resumed.
  await client.request('run.resume', { run: 'one' });
  await client.until(() => states(client.events).at(-1) === 'running');
}, 30_000);

test('what an engine wrote before it crashed is in the log', async () => {
  await using home = await homeWithToken();
  const deadFile = join(home.path, 'dead');
  await writeFile(deadFile, '');
  await using worker = home.start({ environment: { SMALL_ENGINE_DEAD_FILE: deadFile } });
  using client = await home.connect(worker);
  await client.request('run.start', { record: smallRun('one') });
  await client.request('run.follow', { run: 'one', fromSeq: 1 });
  await client.untilState('recovering');
  const log = client.events.find((event) => event.type === 'log' && event.level === 'error');
  expect(log).toMatchObject({
    message: expect.stringContaining('out of memory, says the small engine'),
  });
  await client.request('run.stop', { run: 'one', when: 'now' });
  await client.untilState('stopped');
});

test('a worker that is killed goes on with its run when it starts again, and no event is lost or told twice', async () => {
  await using home = await homeWithToken();
  const first = home.start();
  const early = await home.connect(first);
  await early.request('run.start', { record: smallRun('one', 20) });
  await early.request('run.follow', { run: 'one', fromSeq: 1 });
  await early.until(() => isSteps(25)(early.events));
  const pid = enginePid(early.events);
  await first.kill();
  await early.closed;
  await using second = home.start();
  using late = await home.connect(second, early.clientId);
  expect(late.welcome?.worker.id).toBe(early.welcome?.worker.id);
  expect(late.welcome?.worker.epoch).not.toBe(early.welcome?.worker.epoch);
  await late.request('run.follow', { run: 'one', fromSeq: early.events.length + 1 });
  await late.untilState('done');
  const all = [...early.events, ...late.events];
  expect(numbers(all)).toEqual(all.map((_, index) => index + 1));
  expect(states(all)).toEqual([
    'starting',
    'running',
    'recovering worker-restarted',
    'running',
    'done epochs',
  ]);
  // An engine never outlives its gateway.
  expect(await isRunning(pid)).toBe(false);
});

test('a worker told not to recover leaves a run that was cut off interrupted, until it is resumed', async () => {
  await using home = await homeWithToken();
  const first = home.start();
  const early = await home.connect(first);
  await early.request('run.start', { record: smallRun('one', 20) });
  await early.request('run.follow', { run: 'one', fromSeq: 1 });
  await early.until(() => isSteps(5)(early.events));
  await first.kill();
  await using second = home.start({ args: ['--no-recover'] });
  using late = await home.connect(second);
  await late.request('run.follow', { run: 'one', fromSeq: 1 });
  await late.untilState('interrupted');
  await late.request('run.resume', { run: 'one' });
  await late.untilState('done');
});

test('a pause that was asked for just before the worker was killed holds after it', async () => {
  await using home = await homeWithToken();
  const first = home.start({
    environment: { SMALL_ENGINE_BUSY: '1', SMALL_ENGINE_STEP_MS: '3000' },
  });
  const early = await home.connect(first);
  await early.request('run.start', { record: smallRun('one', 1) });
  await early.request('run.follow', { run: 'one', fromSeq: 1 });
  await early.untilState('running');
  await early.request('run.pause', { run: 'one' });
  await first.kill();
  await using second = home.start();
  using late = await home.connect(second);
  await late.request('run.follow', { run: 'one', fromSeq: 1 });
  await late.untilState('paused');
  await late.request('run.resume', { run: 'one' });
  await late.untilState('done');
});

test('a request sent again is answered again and done once, also by a worker that was killed in between', async () => {
  await using home = await homeWithToken();
  const first = home.start();
  const early = await home.connect(first);
  const record = smallRun('one', 400);
  const other = smallRun('two');
  const answers = await Promise.all([
    early.request('run.start', { record }, { id: 'start-1' }),
    home
      .connect(first, early.clientId)
      .then((second) => second.request('run.start', { record }, { id: 'start-1' })),
  ]);
  expect(answers.map(({ result }) => result)).toEqual([{ run: 'one' }, { run: 'one' }]);
  await early.request('run.change', { run: 'one', epochs: 300 }, { id: 'change-1' });
  await expect(
    early.request('run.start', { record: other }, { id: 'start-2' }),
  ).rejects.toMatchObject({ code: 'worker-busy' });
  await expect(
    early.request('run.change', { run: 'one', epochs: 7 }, { id: 'change-1' }),
  ).rejects.toMatchObject({ code: 'request-id-reused' });
  await first.kill();

  await using second = home.start();
  using late = await home.connect(second, early.clientId);
  expect((await late.request('run.start', { record }, { id: 'start-1' })).result).toEqual({
    run: 'one',
  });
  await late.request('run.change', { run: 'one', epochs: 300 }, { id: 'change-1' });
  // Refused then, refused now, though the worker might be free by now.
  await expect(
    late.request('run.start', { record: other }, { id: 'start-2' }),
  ).rejects.toMatchObject({ code: 'worker-busy' });
  await late.request('run.stop', { run: 'one', when: 'now' }, { id: 'stop-1' });
  await late.request('run.follow', { run: 'one', fromSeq: 1 });
  await late.untilState('stopped');
  expect(
    late.events.filter((event) => event.type === 'state' && event.state === 'starting'),
  ).toHaveLength(1);
  expect(
    late.events.filter((event) => event.type === 'change' && event.epochs !== undefined),
  ).toHaveLength(1);
});

test('SIGTERM: the run leaves a checkpoint and is interrupted, followers are told, and the exit code is 0', async () => {
  await using home = await homeWithToken();
  await using worker = home.start();
  using client = await home.connect(worker);
  await client.request('run.start', { record: smallRun('one', 1000) });
  await client.request('run.follow', { run: 'one', fromSeq: 1 });
  await client.until(() => isSteps(13)(client.events));
  const pid = enginePid(client.events);
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  expect(await client.closed).toEqual({
    code: closeCodes.workerStopping,
    reason: 'worker-stopping',
  });
  expect(client.complaints.at(-1)?.code).toBe('worker-stopping');
  expect(states(client.events).at(-1)).toBe('interrupted worker-stopped');
  expect(client.events.at(-2)).toMatchObject({ type: 'checkpoint', reason: 'stop' });
  expect(await isRunning(pid)).toBe(false);
  expect(worker.errors).toEqual([]);
});

test('a client can stop the worker, and is answered before it ends', async () => {
  await using home = await homeWithToken();
  await using worker = home.start();
  using client = await home.connect(worker);
  expect((await client.request('worker.stop', {})).result).toEqual({});
  expect((await client.closed).code).toBe(closeCodes.workerStopping);
  expect((await worker.ended).code).toBe(0);
});

test('it ends in order when the program that started it was killed', async () => {
  await using home = await homeWithToken();
  const worker = home.start({ args: ['--parent-watch'], inBetween: true });
  await worker.line('listening');
  worker.child.kill('SIGKILL');
  // Told when its output closes, which the worker itself holds.
  await worker.ended;
  expect(worker.lines.at(-1)?.event).toBe('stopping');
});

test('with nothing to do it ends by itself, but not while a client is there', async () => {
  await using home = await homeWithToken();
  await using worker = home.start({ args: ['--idle-minutes', '0.02'] });
  const client = await home.connect(worker);
  await sleep(2_500);
  expect(worker.child.exitCode).toBeNull();
  // Who only asks how it is does not keep it.
  const glance = await home.connect(worker, undefined, { glance: true });
  await client.close();
  expect((await worker.ended).code).toBe(0);
  expect((await glance.closed).code).toBe(closeCodes.workerStopping);
}, 15_000);

test.skipIf(process.platform === 'win32')(
  'a run whose events the disk refuses ends at once with the reason, and goes on when there is room',
  async () => {
    await using home = await homeWithToken();
    const environment = { SMALL_ENGINE_SAMPLE_BYTES: '50000' };
    const first = home.start({ environment, fileKib: 1_000 });
    const early = await home.connect(first);
    await early.request('run.start', { record: smallRun('one', 4) });
    await early.request('run.follow', { run: 'one', fromSeq: 1 });
    await early.until(() => early.complaints.length > 0);
    expect(early.complaints[0]?.code).toBe('journal-failed');
    const [listed] = (await early.request('run.list', {})).result.runs;
    expect(listed).toMatchObject({ state: 'failed', lastSeq: early.events.length });
    expect(await first.stop()).toEqual({ code: 0, signal: null });

    await using second = home.start({ environment });
    using late = await home.connect(second);
    await late.request('run.follow', { run: 'one', fromSeq: early.events.length + 1 });
    await late.untilState('done');
    const all = [...early.events, ...late.events];
    expect(numbers(all)).toEqual(all.map((_, index) => index + 1));
    expect(states(all)).toEqual([
      'starting',
      'running',
      'recovering worker-restarted',
      'running',
      'done epochs',
    ]);
  },
);
