import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RunSession } from '../../../../client/session/run-session.ts';
import { RunStore } from '../../../../client/session/run-store.ts';
import { nodeSystem } from '../../../../client/session/system.ts';
import { WorkerLink } from '../../../../client/session/worker-link.ts';
import type { RunEvent, RunState } from '../../../../shared/events.ts';
import { SimulatedLine } from './simulated-line.ts';
import { metric, record, SimulatedWorker } from './simulated-worker.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-run-session-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const entered = (seq: number, state: RunState): RunEvent => ({
  ...{ run: record.id, seq, time: 1_000 + seq },
  ...{ type: 'state', state },
});

function linkTo(worker: SimulatedWorker) {
  const line = new SimulatedLine(worker);
  const link = new WorkerLink({
    client: { id: 'client-1', name: 'teletrain', version: '0.1.0' },
    endpoint: async () => ({ url: 'ws://127.0.0.1:1/', auth: { token: 'a-token' } }),
    openSocket: line.open,
  });
  return { line, link };
}

/** A session that follows the run on a worker that says so much of it. */
async function following(worker: SimulatedWorker) {
  const store = new RunStore(folder);
  await store.create(record, { worker: 'colab', url: 'ws://127.0.0.1:1/' });
  const { line, link } = linkTo(worker);
  const { fold, journal } = await store.open(record.id);
  const session = new RunSession({ fold, journal, system: nodeSystem });
  session.attach(link, 'colab');
  await expect.poll(() => line.sockets.length).toBe(1);
  line.sockets[0]?.listener.opened();
  const happens = (...events: RunEvent[]): void => {
    for (const event of events) worker.append(event);
    line.deliver();
  };
  const close = async (): Promise<void> => {
    await session.close();
    link.close();
  };
  return { session, happens, [Symbol.asyncDispose]: close };
}

async function seqsOf(session: RunSession): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { seq } of session.events()) seqs.push(seq);
  return seqs;
}

/** A run of which a full disk took the end: its last event says that it trains. */
function endedUntold(): SimulatedWorker {
  const worker = new SimulatedWorker();
  worker.append(entered(1, 'running'));
  worker.append(metric(2));
  worker.state = 'failed';
  return worker;
}

test('who resumes a run that a full disk ended sees its new end, not the old one, though the answer comes before the events', async () => {
  await using all = await following(endedUntold());
  const { session, happens } = all;
  await expect(session.finished()).rejects.toMatchObject({ code: 'journal-failed' });

  await session.command('run.resume', { run: record.id }, 'resuming');
  expect(session.view.lastSeq).toBe(2);
  const finished = session.finished();
  // Who reads the events waits for those that come next, too.
  const read = seqsOf(session);
  await new Promise(setImmediate);
  happens(entered(3, 'starting'), entered(4, 'running'), entered(5, 'done'));
  expect(await finished).toMatchObject({ state: 'done', lastSeq: 5 });
  expect(await read).toEqual([1, 2, 3, 4, 5]);
});

test('a run that is followed at another worker is shown as it is there, not as the worker before said', async () => {
  await using all = await following(endedUntold());
  const { session } = all;
  await expect.poll(() => session.view.state).toBe('failed');

  const other = endedUntold();
  other.state = 'running';
  const { line, link } = linkTo(other);
  session.attach(link, 'desk');
  await expect.poll(() => line.sockets.length).toBe(1);
  line.sockets[0]?.listener.opened();
  await expect.poll(() => session.view).toMatchObject({ state: 'running', worker: 'desk' });
  expect(session.view.stateMessage).toBeUndefined();
  link.close();
});

test('a run that a full disk ended stays ended when its limits are changed', async () => {
  await using all = await following(endedUntold());
  const { session, happens } = all;
  await expect.poll(() => session.view.state).toBe('failed');
  const at = { run: record.id, seq: 3, time: 1_003 };
  happens({ ...at, type: 'change', epochs: 9 });
  await expect.poll(() => session.view).toMatchObject({ lastSeq: 3, epochs: 9, state: 'failed' });
});
