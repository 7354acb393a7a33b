import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import { type ObserveOptions, observe } from '../../client/session/observe.ts';
import type { RunEvent } from '../../shared/events.ts';
import { pairedClient, quickTimes, recipe, until } from './session-set-up.ts';
import { NarrowLine } from './support/narrow-line.ts';
import { temporaryHome } from './support/worker-process.ts';

const example = fileURLToPath(new URL('../../examples/observe-a-run.ts', import.meta.url));

/** What a token that may only look is allowed to ask (PROTOCOL.md, "Pairing and tokens"). */
const looking = [
  ...['worker.info', 'recipe.list', 'run.list', 'run.follow', 'run.unfollow'],
  ...['checkpoint.list', 'file.read'],
];

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

/** A worker that another machine observes: `home` knows it by the name `shared`. */
async function sharedWorker(
  environment: Record<string, string> = {},
  line?: (url: string) => Promise<{ url: string } & AsyncDisposable>,
) {
  const owner = stack.use(await pairedClient({ environment }));
  const { url } = await owner.worker.listening();
  const home = stack.use(await temporaryHome()).path;
  const { code } = await owner.client.inviteObserver('colab');
  const way = line ? stack.use(await line(url)) : owner.line;
  const client = createClient({ home, times: quickTimes });
  await client.connectWorker(way.url, { code, name: 'shared' });
  await client.close();
  const start = (epochs: number) =>
    owner.client.startRun({ recipe, settings: { epochs }, on: 'colab' });
  const look = (options: ObserveOptions = {}) => observe('shared', { home, ...options });
  return { owner, home, start, look };
}

async function all(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const taken: RunEvent[] = [];
  for await (const event of events) taken.push(event);
  return taken;
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
const seqs = (events: readonly RunEvent[]): number[] => events.map(({ seq }) => seq);

test('an observer gets every event of the active run once and in order over cuts, to its end, and only looks', async () => {
  const { owner, start, look } = await sharedWorker({ SMALL_ENGINE_STEP_MS: '3' });
  const handle = await start(15);
  await until(handle, (view) => view.step > 3);
  const frames = owner.line.frames.length;
  const observation = await look();
  expect(observation).toMatchObject({ worker: 'shared', record: { id: handle.id, recipe } });
  owner.line.cutEach = (connection) => 6_000 + 2_700 * (connection % 5);
  owner.line.cut();
  const events = await all(observation);
  const view = await handle.finished();
  expect(owner.line.connections).toBeGreaterThan(5);
  expect(seqs(events)).toEqual(upTo(view.lastSeq));
  const losses = events.flatMap((event) => (event.type === 'metric' ? [event.value] : []));
  expect(losses).toEqual(upTo(150).map((step) => 1 / step));
  expect(events.at(-1)).toMatchObject({ type: 'state', state: 'done' });
  // The owner's own client fetches checkpoints over the same line, which is looking, too.
  const asked = owner.line.frames.slice(frames).flatMap(({ kind, header }) => {
    const { method } = header as { method?: string };
    return kind === 'request' && method !== undefined ? [method] : [];
  });
  expect(asked).toContain('run.follow');
  expect(asked.filter((method) => !looking.includes(method))).toEqual([]);
});

test('a run is observed from now on, from a number on, and by a beginning of its name', async () => {
  const { start, look } = await sharedWorker({ SMALL_ENGINE_STEP_MS: '3' });
  const handle = await start(12);
  await until(handle, (view) => view.step > 20);
  const now = await look({ from: 'now' });
  const toCome = await all(now);
  const { lastSeq } = await handle.finished();
  expect(toCome[0]?.seq).toBeGreaterThan(20);
  expect(seqs(toCome)).toEqual(upTo(lastSeq).slice(-toCome.length));

  // It is over: there is no active run, nothing is to come, and what was is there.
  await expect(look()).rejects.toMatchObject({
    code: 'no-active-run',
    hint: expect.stringContaining(handle.id),
  });
  expect(await all(await look({ run: 'last', from: 'now' }))).toEqual([]);
  const fourth = await look({ run: handle.id.slice(0, -3), from: 4 });
  expect(fourth.state).toBe('done');
  expect(seqs(await all(fourth))).toEqual(upTo(lastSeq).slice(3));
  expect(seqs(await all(fourth))).toEqual(upTo(lastSeq).slice(3));
  await expect(look({ run: 'other' })).rejects.toMatchObject({ code: 'unknown-run' });
  await expect(all(await look({ run: 'last', from: 10_000 }))).rejects.toMatchObject({
    code: 'events-ahead',
  });
});

test('a run that was resumed after its end is observed past that end', async () => {
  const { start, look } = await sharedWorker();
  const handle = await start(2);
  await handle.finished();
  await handle.change({ epochs: 4 });
  await handle.resume();
  const events = await all(await look({ run: handle.id }));
  const states = events.flatMap((event) => (event.type === 'state' ? [event.state] : []));
  expect(states).toEqual(['starting', 'running', 'done', 'starting', 'running', 'done']);
  expect(seqs(events)).toEqual(upTo((await handle.finished()).lastSeq));
});

test('a signal ends it, and a worker that stays away is told of', async () => {
  const { owner, start, look } = await sharedWorker();
  const handle = await start(500);
  await until(handle, (view) => view.step > 3);
  const stop = new AbortController();
  let taken = 0;
  for await (const _ of await look({ signal: stop.signal })) {
    taken += 1;
    if (taken === 5) stop.abort();
  }
  expect(taken).toBe(5);

  const observation = await look({ patienceMs: 300 });
  const lost = all(observation);
  lost.catch(() => {});
  await until(handle, (view) => view.step > 20);
  owner.line.isDown = true;
  owner.line.cut();
  await expect(lost).rejects.toMatchObject({ code: 'worker-lost', hint: expect.any(String) });
});

test('who takes events slowly loses none, and the program does not hold them meanwhile', async () => {
  let line: NarrowLine | undefined;
  const { start, look } = await sharedWorker(
    {
      SMALL_ENGINE_STEP_MS: '0',
      SMALL_ENGINE_AT_ONCE: '500',
      SMALL_ENGINE_EPOCH_STEPS: '40000',
    },
    async (url) => {
      line = await NarrowLine.to(url);
      return line;
    },
  );
  const handle = await start(2);
  const observation = await look();
  const events = observation[Symbol.asyncIterator]();
  expect((await events.next()).value).toMatchObject({ seq: 1 });
  const { lastSeq } = await handle.finished();
  // 80,000 events are more than 14 MB; in between there are the buffers of two sockets, at both ends.
  const before = line?.passed ?? Number.NaN;
  expect(before).toBeGreaterThan(0);
  let next = 2;
  for (let taken = await events.next(); !taken.done; taken = await events.next()) {
    if (taken.value.seq !== next) break;
    next += 1;
  }
  expect(next).toBe(lastSeq + 1);
  expect(before).toBeLessThan((line?.passed ?? 0) * 0.7);
});

test('the example prints the metrics of the active run to its end', async () => {
  const { home, start } = await sharedWorker({ SMALL_ENGINE_STEP_MS: '3' });
  const handle = await start(5_000);
  const program = spawn(process.execPath, [example, 'shared'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TELETRAIN_HOME: home },
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: program.stdout })) {
    lines.push(line);
    if (lines.length === 100) await handle.stop('now');
  }
  const { step } = await handle.finished();
  expect(lines[0]).toBe(`${handle.id} on shared: ${recipe}`);
  const metrics = lines.filter((line) => line.startsWith('step '));
  expect(metrics).toEqual(
    upTo(step).map((at) => `step ${at}  train loss ${(1 / at).toPrecision(5)}`),
  );
  expect(lines.at(-1)).toBe('stopped');
});
