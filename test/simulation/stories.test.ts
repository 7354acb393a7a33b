import { describe, expect, test } from 'vitest';
import { FileLock } from '../../client/session/file-lock.ts';
import { JournalFile as ClientJournal } from '../../client/session/journal-file.ts';
import { RunStore } from '../../client/session/run-store.ts';
import { monotonicTime } from '../../shared/clock.ts';
import type { RunRecord } from '../../shared/run.ts';
import { JournalFile } from '../../worker/gateway/journal-file.ts';
import { RecordFile } from '../../worker/gateway/record-file.ts';
import { Runs } from '../../worker/gateway/runs.ts';
import { Training } from '../../worker/gateway/training.ts';
import { Chance } from './chance.ts';
import { live } from './life.ts';
import { Machine, type Program } from './machine.ts';
import type { Entry, Plan } from './plan.ts';
import { SimulatedEngine } from './simulated-engine.ts';
import { World } from './world.ts';

/** What went wrong in simulated lives until it was mended, each as its shortest story. */

const seeds = Array.from({ length: 20 }, (_, index) => index);
const habits = { stepMs: 200, weightBytes: 100, pictureBytes: 0, kept: 2 };
const record: RunRecord = {
  format: 1,
  id: 'one',
  recipe: 'digits-pixel-rnn',
  settings: { epochs: 2 },
  quick: false,
  createdAt: 1,
  version: '0.1.0',
};
const log = { type: 'log', level: 'info', message: 'hello' } as const;

/** A machine of its own; `done` lets time pass until something has come of it. */
function machineOf(seed: number) {
  const world = new World();
  const machine = new Machine('machine', world, new Chance('machine', seed));
  machine.disk.place('/home/file', '');
  const done = async <Result>(work: Promise<Result>): Promise<Result> => {
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    over.catch(() => {});
    await world.until(world.now + 3_600_000, () => isOver);
    return await over;
  };
  return { machine, program: machine.launch(), done };
}

function trainingOf(machine: Machine, program: Program, runs: Runs): Training {
  return new Training({
    ...{ runs, dataDir: undefined, cacheDir: '/cache', clock: program.system.clock },
    engine: new SimulatedEngine(program, machine.chance, habits),
    onWarning: () => {},
    onStatus: () => {},
    onReady: () => {},
    onProgress: () => {},
    onUnusable: () => {},
  });
}

const journalOf = (program: Program) =>
  JournalFile.open('one', '/home/journal', 1, () => {}, program.system);

describe("the worker's disk", () => {
  test('keeps the name of a new journal, not only its bytes, when the power fails', async () => {
    for (const seed of seeds) {
      const { machine, program, done } = machineOf(seed);
      const { journal } = await done(journalOf(program));
      await done(journal.append([log], 1));
      machine.losePower();
      const again = await done(journalOf(machine.launch()));
      expect(again.journal.lastSeq, `seed ${seed}`).toBe(1);
    }
  });

  test('has no rubbish in front of a record, where what a failed write left could not be cut off', async () => {
    const { machine, program, done } = machineOf(1);
    const extent = { end: 0, isSpoiled: false };
    const file = new RecordFile('/home/records', extent, program.system);
    await done(file.append(Buffer.from('first,')));
    const { disk } = machine;
    const refuse = disk.refuse.bind(disk);
    // The bytes arrive; neither the sync nor the cut does.
    disk.refuse = (call) => {
      if (call !== 'write') throw new Error(`${call} failed`);
    };
    await expect(done(file.append(Buffer.from('a long one that is lost,')))).rejects.toThrow();
    disk.refuse = refuse;
    await done(file.append(Buffer.from('last')));
    expect(disk.peek('/home/records')?.toString()).toBe('first,last');
  });

  test('keeps nothing of a run whose start it refused', async () => {
    const { machine, program, done } = machineOf(1);
    const { system } = program;
    const runs = await done(Runs.load('/home/runs', () => {}, undefined, system));
    const training = trainingOf(machine, program, runs);
    const start = training.start(async () => {
      const run = await runs.create(record);
      machine.disk.trouble = { failing: { code: 'ENOSPC', probability: 1 } };
      return run;
    });
    await expect(done(start)).rejects.toMatchObject({ code: 'journal-failed' });
    machine.disk.trouble = {};
    expect(runs.all).toEqual([]);
    const again = await done(Runs.load('/home/runs', () => {}, undefined, machine.launch().system));
    expect(again.all).toEqual([]);
  });
});

test('a worker that was just started takes what is asked of a run that it is about to go on with', async () => {
  const { machine, program, done } = machineOf(1);
  const loaded = (of: Program) => done(Runs.load('/home/runs', () => {}, undefined, of.system));
  const runs = await loaded(program);
  await done(trainingOf(machine, program, runs).start(() => runs.create(record)));
  machine.kill();

  const next = machine.launch();
  const found = await loaded(next);
  const training = trainingOf(machine, next, found);
  const [run] = found.all;
  if (!run) throw new Error('the run is gone');
  const recovered = training.recover(true);
  const stopped = training.stop(run, 'now');
  await done(Promise.all([recovered, stopped]));
  expect(run.fold.state).toBe('stopped');
});

describe('a client', () => {
  test('knows the worker of every run that it knows, whenever its program ends', async () => {
    for (const seed of seeds) {
      const { machine, program, done } = machineOf(seed);
      const place = { worker: 'colab', url: 'ws://worker:1/' };
      void new RunStore('/home/runs', program.system).create(record, place);
      await machine.world.until(seed);
      machine.losePower();
      const store = new RunStore('/home/runs', machine.launch().system);
      if (await done(store.read('one'))) expect(await done(store.place('one'))).toEqual(place);
    }
  });

  test('has each event of a run for good before another worker goes on behind it', async () => {
    for (const seed of seeds) {
      const { machine, program, done } = machineOf(seed);
      const open = ({ system }: Program) => ClientJournal.open('/home/journal', () => {}, system);
      const journal = await done(open(program));
      journal.append({ ...log, run: 'one', seq: 1, time: 1 });
      await done(journal.synced());
      machine.losePower();
      const kept: number[] = [];
      await done(
        ClientJournal.open('/home/journal', ({ seq }) => kept.push(seq), machine.launch().system),
      );
      expect(kept, `seed ${seed}`).toEqual([1]);
    }
  });

  test('takes over a lock that was left by a clock that has been set back since', async () => {
    const { machine, program, done } = machineOf(1);
    await done(FileLock.take('/home/lock', undefined, program.system));
    machine.kill();
    const next = machine.launch();
    // It does not tell whose it was, so that its age alone counts.
    machine.disk.place('/home/lock', '');
    machine.disk.touch('/home/lock', new Date(machine.wallTime));
    machine.clockOffset -= 3_600_000;
    const before = machine.world.now;
    await done(FileLock.take('/home/lock', undefined, next.system));
    expect(machine.world.now - before).toBeLessThan(60_000);
  });

  test('leaves no lock behind that it could not sign', async () => {
    const { machine, program, done } = machineOf(1);
    machine.disk.refuse = (call) => {
      if (call === 'write') throw new Error('no room');
    };
    await expect(done(FileLock.tryTake('/home/lock', program.system))).rejects.toThrow('no room');
    expect(machine.disk.peek('/home/lock')).toBeUndefined();
  });
});

test('time for waiting goes on where a clock is set back, and counts the sleep of a machine', () => {
  let wall = 1_000_000;
  let timers = 5;
  const time = monotonicTime(
    () => wall,
    () => timers,
  );
  const pass = (ofWall: number, ofTimers: number): number => {
    wall += ofWall;
    timers += ofTimers;
    return time();
  };
  expect(pass(100, 100)).toBe(1_000_100);
  expect(pass(-3_600_000, 50)).toBe(1_000_150);
  expect(pass(60_000, 10)).toBe(1_060_150);
  // What timers and clock differ by otherwise adds up to nothing.
  for (let count = 0; count < 1000; count += 1) pass(count % 2, 0.5);
  expect(time()).toBe(1_060_650);
});

const start = { at: 10, kind: 'deed', client: 0, deed: { do: 'start', epochs: 2 } } as const;
const stories: Record<string, readonly Entry[]> = {
  'a paused run goes on, once there is room, where a full disk refused that before': [
    start,
    { at: 1_000, kind: 'deed', client: 0, deed: { do: 'pause' } },
    { at: 6_000, kind: 'disk', client: -1, code: 'ENOSPC', probability: 1, ms: 7_000 },
    { at: 8_000, kind: 'deed', client: 0, deed: { do: 'resume' } },
  ],
  'a run that is opened again goes on being shown, though its first session takes long to close': [
    start,
    { at: 1_000, kind: 'slow-disk', client: 0, times: 300, ms: 6_000 },
    { at: 1_200, kind: 'deed', client: 0, deed: { do: 'close' } },
    { at: 1_400, kind: 'deed', client: 0, deed: { do: 'open' } },
  ],
  'what was asked of a run before it was closed takes nothing from who opens it again': [
    start,
    { at: 1_000, kind: 'silence', client: 0, way: 'both', ms: 45_000 },
    { at: 24_000, kind: 'deed', client: 0, deed: { do: 'resume' } },
    { at: 45_000, kind: 'deed', client: 0, deed: { do: 'close' } },
    { at: 45_600, kind: 'deed', client: 0, deed: { do: 'open' } },
  ],
  'a run that ended because its journal took no more is shown as ended': [
    start,
    { at: 1_000, kind: 'disk', client: -1, code: 'ENOSPC', probability: 1, ms: 5_000 },
  ],
  'a run that is asked to go on at two workers at once goes on at one of them': [
    start,
    { at: 3_000, kind: 'deed', client: 0, deed: { do: 'change', epochs: 4 } },
    { at: 5_000, kind: 'silence', client: 0, worker: 0, way: 'both', ms: 24_000 },
    { at: 6_000, kind: 'deed', client: 0, deed: { do: 'move', to: 1, replace: true } },
    { at: 15_000, kind: 'deed', client: 0, deed: { do: 'move', to: 0, replace: false } },
  ],
  'a run that goes to another worker takes no events any more from the one that comes back': [
    { ...start, deed: { do: 'start', epochs: 9 } },
    { at: 2_000, kind: 'silence', client: 0, worker: 0, way: 'both', ms: 30_000 },
    { at: 2_000, kind: 'slow', client: 0, worker: 1, ms: 90_000, times: 30 },
    { at: 3_000, kind: 'deed', client: 0, deed: { do: 'move', to: 1, replace: false } },
    { at: 3_100, kind: 'cut', client: 0, worker: 0, isHalfOpen: false },
  ],
  'a run that is opened again while it goes to another worker is not followed where it was': [
    { ...start, deed: { do: 'start', epochs: 9 } },
    { at: 2_000, kind: 'worker-down', worker: 0, hasPower: true, ms: 20_000 },
    { at: 2_000, kind: 'slow', client: 0, worker: 1, ms: 90_000, times: 100 },
    { at: 2_500, kind: 'deed', client: 0, deed: { do: 'move', to: 1, replace: false } },
    { at: 2_600, kind: 'deed', client: 0, deed: { do: 'close' } },
    { at: 12_000, kind: 'deed', client: 0, deed: { do: 'open' } },
  ],
  'a run whose events cannot be kept at home does not go to another worker without them': [
    { ...start, deed: { do: 'start', epochs: 9 } },
    { at: 700, kind: 'disk', client: 0, code: 'EIO', probability: 1, ms: 400 },
    { at: 2_000, kind: 'worker-down', hasPower: true, ms: 20_000 },
    { at: 2_100, kind: 'deed', client: 0, deed: { do: 'move', to: 1, replace: false } },
  ],
  'a checkpoint that was brought to a worker is there after its power failed': [
    { ...start, deed: { do: 'start', worker: 1, epochs: 20 } },
    { at: 500, kind: 'deed', client: 0, deed: { do: 'start', epochs: 9 } },
    { at: 2_500, kind: 'worker-down', hasPower: true, ms: 60_000 },
    { at: 2_600, kind: 'deed', client: 0, deed: { do: 'move', to: 1, replace: false } },
    { at: 12_000, kind: 'worker-down', worker: 1, hasPower: false, ms: 1_000 },
  ],
  'a run that was brought to a worker and may not train there is shown as interrupted': [
    { ...start, deed: { do: 'start', epochs: 9 } },
    { at: 2_000, kind: 'worker-down', hasPower: true, ms: 60_000 },
    { at: 2_100, kind: 'deed', client: 0, deed: { do: 'move', to: 1, replace: false } },
    { at: 3_000, kind: 'deed', client: 0, deed: { do: 'start', worker: 1, epochs: 20 } },
  ],
  'a dead connection is shown as such though the clock is set back': [
    start,
    { at: 2_000, kind: 'silence', client: 0, way: 'both', ms: 90_000 },
    { at: 12_000, kind: 'client-clock', client: 0, ms: -3_600_000 },
    { at: 12_000, kind: 'worker-clock', ms: -3_600_000 },
  ],
};

describe('whatever happens', () => {
  for (const [name, entries] of Object.entries(stories)) {
    test(name, async () => {
      for (const seed of seeds) {
        const isMoved = entries.some((entry) => entry.kind === 'deed' && entry.deed.do === 'move');
        const machines = { clients: 1, workers: isMoved ? 2 : 1 };
        const plan: Plan = { seed, ...machines, ms: 100_000, habits, entries };
        expect((await live(plan)).violation, `seed ${seed}`).toBeUndefined();
      }
    });
  }
});
