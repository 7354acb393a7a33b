import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../../client/session/client.ts';
import type { Followed, Opened } from './flood-client.ts';
import { peakMemory } from './peak-memory.ts';
import { WireClient } from './wire-client.ts';
import { temporaryHome, WorkerProcess } from './worker-process.ts';

/** Epochs of the run: enough that the events are of more than one kind. */
const epochs = 10;
/** Steps after each of which the engine looks for room. */
const stepsAtOnce = 500;
const replays = 25;

export interface FloodReport {
  /** Metric events, and all events. */
  readonly metrics: number;
  readonly events: number;
  readonly journalBytes: number;
  readonly followed: Followed;
  /** Events that a client got, in order, which read nothing until the run had ended. */
  readonly stuckGot: number;
  readonly stuckSeconds: number;
  /** Bytes. */
  readonly peakOfGateway: number;
  readonly peakOfEngine: number;
  /** Milliseconds from `run.follow` to the first event, for numbers over the whole run, sorted. */
  readonly replayMs: readonly number[];
  readonly opened: Opened;
}

/**
 * A run of as many metric events as fast as they are taken, through real processes: engine, gateway,
 * journal, wire, and a client with its run store. Beside it a client that follows and reads nothing.
 */
export async function floodOfEvents(metrics: number): Promise<FloodReport> {
  await using workerHome = await temporaryHome();
  await using home = await temporaryHome();
  await using worker = new WorkerProcess(workerHome.path, {
    args: ['--parent-watch'],
    environment: {
      SMALL_ENGINE_STEP_MS: '0',
      SMALL_ENGINE_AT_ONCE: String(stepsAtOnce),
      SMALL_ENGINE_EPOCH_STEPS: String(metrics / epochs),
    },
  });
  const { url, code } = await worker.listening();
  const gateway = worker.child.pid ?? 0;
  const client = createClient({ home: home.path });
  await client.connectWorker(url, { code, name: 'flooded' });
  await client.close();
  worker.child.kill('SIGUSR2');
  const { code: another } = await worker.line('code');
  using stuck = await WireClient.connect(url, { code: String(another) });
  const token = String(stuck.welcome?.token);

  const following = floodClient(home.path, 'follow', String(epochs));
  const [{ started: run }] = (await once(following, 'message')) as [{ started: string }];
  let stuckGot = 0;
  let engine: number | undefined;
  let peakOfEngine = 0;
  stuck.onEvent = (event) => {
    if (event.seq === stuckGot + 1) stuckGot += 1;
    if (event.type === 'log') engine = Number(event.message.split(' ').at(-1));
  };
  await stuck.request('run.follow', { run, fromSeq: 1 });
  await stuck.until(() => engine !== undefined);
  stuck.socket.pause();
  // It is alive all the same: who says nothing for `silenceMs` is dropped.
  const alive = setInterval(() => stuck.send('ping', { time: Date.now() }), 10_000);
  const watch = setInterval(async () => {
    peakOfEngine = Math.max(peakOfEngine, (await peakMemory(engine ?? 0)) ?? 0);
  }, 100);
  const [followed] = (await once(following, 'message')) as [Followed];
  clearInterval(watch);
  await ended(following);

  const stuckFrom = performance.now();
  stuck.socket.resume();
  await stuck.until(() => stuckGot === followed.lastSeq, 120_000);
  clearInterval(alive);
  const stuckSeconds = (performance.now() - stuckFrom) / 1000;

  const replayMs: number[] = [];
  for (let count = 0; count < replays; count += 1) {
    const fromSeq = 1 + Math.floor((followed.lastSeq * count) / replays);
    replayMs.push(await replay(url, token, stuck.clientId, run, fromSeq));
  }
  const peakOfGateway = (await peakMemory(gateway)) ?? 0;

  const opening = floodClient(home.path, 'open', run);
  const [opened] = (await once(opening, 'message')) as [Opened];
  await ended(opening);
  const { size } = await stat(join(workerHome.path, 'runs', run, 'journal'));
  return {
    ...{ metrics, events: followed.lastSeq, journalBytes: size, followed, stuckGot, stuckSeconds },
    ...{ peakOfGateway, peakOfEngine, opened },
    replayMs: replayMs.sort((a, b) => a - b),
  };
}

/** @returns milliseconds until the first event is there. */
async function replay(
  url: string,
  token: string,
  clientId: string,
  run: string,
  fromSeq: number,
): Promise<number> {
  using client = await WireClient.connect(url, { token }, clientId);
  const startedAt = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  client.onEvent = ({ seq }) => {
    if (seq === fromSeq) resolve(performance.now() - startedAt);
    else reject(new Error(`event ${seq} came first, and ${fromSeq} was asked for`));
    client.socket.terminate();
  };
  await client.request('run.follow', { run, fromSeq });
  return await promise;
}

function floodClient(home: string, mode: string, what: string): ChildProcess {
  return fork(fileURLToPath(new URL('./flood-client.ts', import.meta.url)), [home, mode, what], {
    execArgv: [],
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
