import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Drawing, RunEvent, RunStatus } from '../../../../shared/events.ts';
import { decodeFrame } from '../../../../shared/frames.ts';
import { limits } from '../../../../shared/limits.ts';
import { Follower } from '../../../../worker/gateway/follow.ts';
import { Run } from '../../../../worker/gateway/run.ts';
import { RunDirectory } from '../../../../worker/gateway/run-directory.ts';

/** A socket that takes so many frames and then no more, until it is given room. */
class NarrowOutlet {
  readonly events: RunEvent[] = [];
  readonly kinds: string[] = [];
  room: number;

  constructor(room: number) {
    this.room = room;
  }

  hasRoom(): boolean {
    return this.room > 0;
  }

  /** What was sent is gone at once, while there is room. */
  isIdle(): boolean {
    return this.room > 0;
  }

  send(bytes: Uint8Array): void {
    this.room -= 1;
    const { kind, header } = decodeFrame(bytes);
    this.kinds.push(kind);
    if (kind === 'event') this.events.push((header as { event: RunEvent }).event);
  }
}

let folder: string;
let run: Run;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-follow-'));
  const record = {
    format: 1,
    id: 'one',
    recipe: 'digits-pixel-rnn',
    settings: {},
    quick: false,
    createdAt: 1,
    version: '0',
  } as const;
  ({ run } = await Run.open(record, new RunDirectory(folder), undefined, () => {}));
});
afterEach(async () => {
  await run.rest();
  await rm(folder, { recursive: true });
});

const write = (count: number) =>
  run.append(
    ...Array.from(
      { length: count },
      (_, index) => ({ type: 'log', level: 'info', message: `${index}` }) as const,
    ),
  );
const follow = (fromSeq: number, outlet: NarrowOutlet, drawings?: boolean) => {
  const onError = (error: unknown) => {
    throw error;
  };
  const follower = new Follower(run, outlet, { fromSeq, drawings, onError });
  follower.pump();
  return follower;
};
const seqs = (outlet: NarrowOutlet) => outlet.events.map((event) => event.seq);
const upTo = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

test('sends as much as there is room for, and goes on where it was', async () => {
  await write(400);
  const outlet = new NarrowOutlet(150);
  const follower = follow(101, outlet);
  await vi.waitFor(() => expect(outlet.events).toHaveLength(150));
  expect(follower.isCaughtUp).toBe(false);
  outlet.room = 1_000;
  follower.pump();
  await vi.waitFor(() => expect(follower.isCaughtUp).toBe(true));
  expect(seqs(outlet)).toEqual(upTo(101, 400));
});

test('sends each event once, however often it is pumped and whatever is appended meanwhile', async () => {
  await write(300);
  const outlet = new NarrowOutlet(10);
  const follower = follow(1, outlet);
  for (let turn = 0; turn < 200; turn += 1) {
    outlet.room += 7;
    follower.pump();
    follower.pump();
    if (turn % 10 === 0) await write(5);
    await new Promise(setImmediate);
  }
  outlet.room = 1_000;
  follower.pump();
  await vi.waitFor(() => expect(outlet.events).toHaveLength(400));
  expect(seqs(outlet)).toEqual(upTo(1, 400));
});

test('tells the live status only when every event was sent', async () => {
  const status: RunStatus = {
    run: 'one',
    state: 'running',
    phase: 'training',
    step: 1,
    epoch: 1,
    epochs: 1,
    stepsPerEpoch: 1,
    examplesPerSecond: 1,
    gauges: {
      liveTensors: 0,
      engineMemoryBytes: 0,
      systemMemoryBytes: 0,
      systemMemoryUsedBytes: 0,
      cpu: 0,
    },
  };
  await write(5);
  const outlet = new NarrowOutlet(3);
  const follower = follow(1, outlet);
  await vi.waitFor(() => expect(outlet.events).toHaveLength(3));
  run.tell(status);
  expect(outlet.kinds).not.toContain('status');
  outlet.room = 10;
  follower.pump();
  await vi.waitFor(() => expect(follower.isCaughtUp).toBe(true));
  run.tell(status);
  expect(outlet.kinds.at(-1)).toBe('status');
});

const drawing = (rows: number, bytes = 10): Drawing => ({
  run: 'one',
  step: 1,
  epoch: 1,
  name: 'completions',
  count: 1,
  height: 28,
  width: 28,
  columns: 1,
  givenRows: 14,
  rows,
  pixels: new Uint8Array(bytes),
});

test('shows a sample while it is drawn to who asked, keeps up and has nothing waiting', async () => {
  await write(5);
  const asked = new NarrowOutlet(3);
  const unasked = new NarrowOutlet(100);
  const follower = follow(1, asked, true);
  await vi.waitFor(() => expect(asked.events).toHaveLength(3));
  follow(1, unasked);
  await vi.waitFor(() => expect(unasked.events).toHaveLength(5));
  run.show(drawing(15));
  expect(asked.kinds).not.toContain('drawing');
  asked.room = 3;
  follower.pump();
  await vi.waitFor(() => expect(follower.isCaughtUp).toBe(true));
  run.show(drawing(16));
  expect(asked.kinds.at(-1)).toBe('drawing');
  // Full again: what the next one shows replaces it.
  run.show(drawing(17));
  asked.room = 3;
  run.show(drawing(18, limits.drawingBytes + 1));
  expect(asked.kinds.filter((kind) => kind === 'drawing')).toHaveLength(1);
  expect(unasked.kinds).not.toContain('drawing');
});

test('closed, it sends nothing more', async () => {
  const outlet = new NarrowOutlet(1_000);
  const follower = follow(1, outlet);
  await write(3);
  await vi.waitFor(() => expect(outlet.events).toHaveLength(3));
  follower.close();
  await write(3);
  await new Promise(setImmediate);
  expect(outlet.events).toHaveLength(3);
});
