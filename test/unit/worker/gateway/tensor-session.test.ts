import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TeletrainError } from '../../../../shared/errors.ts';
import { limits } from '../../../../shared/limits.ts';
import type { ResultsHeader } from '../../../../shared/messages.ts';
import {
  TensorProcess,
  type TensorProcessListener,
} from '../../../../worker/gateway/tensor-process.ts';
import {
  type BatchTaker,
  GatewayTensorSession,
  type ResultsOutlet,
} from '../../../../worker/gateway/tensor-session.ts';
import { TensorSessions } from '../../../../worker/gateway/tensor-sessions.ts';
import { nodeSystem } from '../../../../worker/system.ts';
import { temporaryHome } from '../../../integration/support/worker-process.ts';

const id = 'a-session-of-a-test';
const engine = {
  type: 'ready' as const,
  report: {
    kind: 'wasm' as const,
    device: 'cpu' as const,
    tfjsVersion: '0',
    nodeVersion: '0',
    threads: 1,
    cpu: 'none',
    cpuFeatures: [],
    candidates: [],
  },
  kernels: ['Add'],
  bytes: 1_000,
};

class Outlet implements ResultsOutlet {
  isOpen = true;
  room = true;
  readonly sent: { header: ResultsHeader; payload: string; sent?: () => void }[] = [];
  hasRoom(): boolean {
    return this.room;
  }
  sendResults(header: ResultsHeader, payload: Uint8Array, sent?: () => void): void {
    this.sent.push({ header, payload: Buffer.from(payload).toString(), ...(sent && { sent }) });
  }
  get numbers(): number[] {
    return this.sent.map(({ header }) => header.number).filter((number) => number > 0);
  }
}

class Taker implements BatchTaker {
  readonly batches: string[] = [];
  readonly pause = vi.fn();
  readonly resume = vi.fn();
  readonly kill = vi.fn();
  send(number: number, payload: Uint8Array): void {
    this.batches.push(`${number} ${Buffer.from(payload).toString()}`);
  }
}

const text = (value: string) => Buffer.from(value);

describe('a tensor session at the gateway', () => {
  let taker: Taker;
  let session: GatewayTensorSession;
  let outlet: Outlet;
  const receive = (number: number, value = '', got = 0) =>
    session.receive({ session: id, number, got }, text(value));

  beforeEach(async () => {
    taker = new Taker();
    session = new GatewayTensorSession(id, 'client', taker);
    session.opened(engine);
    outlet = new Outlet();
    expect(await session.attach(outlet, 0)).toMatchObject({ received: 0, kernels: ['Add'] });
  });

  test('hands batches on, each once, though they are sent again after a cut', async () => {
    receive(1, 'one');
    receive(2, 'two');
    session.detach(outlet);
    const next = new Outlet();
    expect(await session.attach(next, 0)).toMatchObject({ received: 2 });
    receive(2, 'two');
    receive(3, 'three');
    expect(taker.batches).toEqual(['1 one', '2 two', '3 three']);
  });

  test('sends results again that the client did not get before the cut, and no others', async () => {
    session.results(1, text('a'), () => {});
    session.results(2, text('b'), () => {});
    expect(outlet.numbers).toEqual([1, 2]);
    session.detach(outlet);
    session.results(3, text('c'), () => {});
    const next = new Outlet();
    await session.attach(next, 1);
    session.pump();
    expect(next.sent.map(({ payload }) => payload)).toEqual(['b', 'c']);
    expect(next.numbers).toEqual([2, 3]);
    expect(next.sent.at(-1)?.header.got).toBe(3);
  });

  test('confirms what its process did, though there are no results', () => {
    session.results(1, text(''), () => {});
    expect(outlet.sent).toEqual([{ header: { session: id, number: 0, got: 1 }, payload: '' }]);
  });

  test('confirms batches together while more are under way, and all when none is', () => {
    for (let number = 1; number <= 40; number += 1) receive(number, 'x');
    for (let number = 1; number <= 39; number += 1) session.results(number, text(''), () => {});
    const told = () => outlet.sent.map(({ header }) => header.got);
    expect(told()).toEqual([16, 32]);
    session.results(40, text(''), () => {});
    expect(told()).toEqual([16, 32, 40]);
    // A window is not waited for either.
    const large = Buffer.alloc(limits.tensorWindowBytes / 16);
    for (const number of [41, 42]) session.receive({ session: id, number, got: 0 }, large);
    session.results(41, text(''), () => {});
    expect(told()).toEqual([16, 32, 40, 41]);
  });

  test('gives a result’s memory back when the client has it and the socket does not read it', () => {
    const given: string[] = [];
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      session.results(index + 1, text(name), () => given.push(name));
    }
    outlet.sent[0]?.sent?.();
    receive(0, '', 2);
    expect(given).toEqual(['a']);
    outlet.sent[1]?.sent?.();
    expect(given).toEqual(['a', 'b']);
  });

  test('sends a copy of what an older connection may still be sending', async () => {
    session.results(1, text('a'), () => {});
    session.detach(outlet);
    const next = new Outlet();
    await session.attach(next, 0);
    session.pump();
    expect(outlet.sent[0]?.sent).toBeDefined();
    expect(next.sent[0]).toEqual({ header: { session: id, number: 1, got: 1 }, payload: 'a' });
  });

  test('waits while the connection has no room, and reads no more than a window ahead', () => {
    outlet.room = false;
    const chunk = new Uint8Array(limits.frameBytes - 1_000);
    for (let number = 1; number <= 4; number += 1) session.results(number, chunk, () => {});
    expect(taker.pause).not.toHaveBeenCalled();
    session.results(5, chunk, () => {});
    expect(taker.pause).toHaveBeenCalled();
    expect(outlet.sent).toEqual([]);
    outlet.room = true;
    session.pump();
    expect(outlet.numbers).toEqual([1, 2, 3, 4, 5]);
    receive(0, '', 5);
    expect(taker.resume).toHaveBeenCalled();
  });

  test('refuses more than a window ahead of its process, and a gap', () => {
    const batch = Buffer.alloc(limits.frameBytes);
    const send = (number: number) => session.receive({ session: id, number, got: 0 }, batch);
    for (let number = 1; number <= 5; number += 1) send(number);
    expect(() => send(6)).toThrow(expect.objectContaining({ code: 'tensor-window' }));
    expect(() => receive(9)).toThrow(expect.objectContaining({ code: 'malformed-batch' }));
  });

  test('says why it ended and ends its process', () => {
    session.end(new TeletrainError('tensor-engine-ended', 'It crashed.', { hint: 'Again.' }));
    expect(outlet.sent.at(-1)?.header.ended?.code).toBe('tensor-engine-ended');
    expect(taker.kill).toHaveBeenCalled();
    expect(session.hasEnded).toBe(true);
  });
});

describe('the tensor sessions of a worker', () => {
  const takers: Taker[] = [];
  const make = (lingerMs?: number) =>
    new TensorSessions({
      environment: async () => ({}),
      start: (_environment, listener) => {
        queueMicrotask(() => listener.ready(engine));
        const taker = new Taker();
        takers.push(taker);
        return taker;
      },
      ...(lingerMs === undefined ? {} : { lingerMs }),
    });
  const named = (number: number) => ({ session: `${id}-${number}`, resume: false, got: 0 });
  const code = (wanted: string) => expect.objectContaining({ code: wanted });
  beforeEach(() => {
    takers.length = 0;
  });

  test('are few, and one that is closed makes room', async () => {
    const sessions = make();
    const outlet = new Outlet();
    for (let number = 0; number < limits.tensorSessions; number += 1) {
      await sessions.open('client', named(number), outlet);
    }
    await expect(sessions.open('client', named(9), outlet)).rejects.toEqual(
      code('too-many-tensor-sessions'),
    );
    sessions.close('client', named(0).session);
    await sessions.open('client', named(9), outlet);
    sessions.closeAll();
    expect(takers.every(({ kill }) => kill.mock.calls.length > 0)).toBe(true);
  });

  test('that wait for a connection give way to another one of their client’s', async () => {
    const sessions = make();
    const gone = new Outlet();
    await sessions.open('client', named(0), gone);
    sessions.detach(gone);
    const outlet = new Outlet();
    for (let number = 1; number < limits.tensorSessions; number += 1) {
      await sessions.open('client', named(number), outlet);
    }
    await expect(sessions.open('other', named(8), outlet)).rejects.toEqual(
      code('too-many-tensor-sessions'),
    );
    await sessions.open('client', named(9), outlet);
    expect(takers.map(({ kill }) => kill.mock.calls.length)).toEqual([1, 0, 0, 0, 0]);
    sessions.closeAll();
  });

  test('are their client’s: another one neither takes up nor closes them', async () => {
    const sessions = make();
    const outlet = new Outlet();
    await sessions.open('client', named(1), outlet);
    const theft = sessions.open('other', { ...named(1), resume: true }, new Outlet());
    await expect(theft).rejects.toEqual(code('unknown-tensor-session'));
    sessions.close('other', named(1).session);
    expect(takers[0]?.kill).not.toHaveBeenCalled();
    const commands = { session: named(1).session, number: 1, got: 0 };
    const stranger = new Outlet();
    sessions.receive(stranger, commands, text('x'));
    expect(stranger.sent[0]?.header.ended?.code).toBe('unknown-tensor-session');
    expect(takers[0]?.batches).toEqual([]);
    sessions.closeAll();
  });

  describe('whose engine hangs while it starts', () => {
    const listeners: TensorProcessListener[] = [];
    const makeHanging = () =>
      new TensorSessions({
        environment: async () => ({}),
        start: (_environment, listener) => {
          listeners.push(listener);
          const taker = new Taker();
          takers.push(taker);
          return taker;
        },
        startMs: 1_000,
      });
    beforeEach(() => {
      listeners.length = 0;
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    test('give their places back, and who asked is told', async () => {
      const sessions = makeHanging();
      const asked = Array.from({ length: limits.tensorSessions }, (_, number) =>
        sessions.open('client', named(number), new Outlet()),
      );
      const told = Promise.allSettled(asked);
      await vi.advanceTimersByTimeAsync(999);
      expect(takers.map(({ kill }) => kill.mock.calls.length)).toEqual([0, 0, 0, 0]);
      await vi.advanceTimersByTimeAsync(1);
      const silent = { status: 'rejected', reason: code('tensor-engine-silent') };
      expect(await told).toEqual([silent, silent, silent, silent]);
      expect(takers.map(({ kill }) => kill.mock.calls.length)).toEqual([1, 1, 1, 1]);

      const another = sessions.open('client', named(9), new Outlet());
      await vi.advanceTimersByTimeAsync(0);
      listeners.at(-1)?.ready(engine);
      expect(await another).toMatchObject({ kernels: ['Add'] });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(takers.at(-1)?.kill).not.toHaveBeenCalled();
      sessions.closeAll();
    });

    test('are told apart from those that say what they do, whose last word is in the reason', async () => {
      const sessions = makeHanging();
      const asked = sessions.open('client', named(0), new Outlet());
      const told = expect(asked).rejects.toThrow(
        'nothing was heard of it for 1 s, since "fetching TensorFlow (90 %)"',
      );
      for (const percent of [0, 50, 90]) {
        await vi.advanceTimersByTimeAsync(900);
        listeners[0]?.said(`fetching TensorFlow (${percent} %)`);
      }
      expect(takers[0]?.kill).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1_000);
      await told;
    });
  });

  test('whose program never says a word end it', async () => {
    await using folder = await temporaryHome();
    const program = join(folder.path, 'hangs.mjs');
    const mark = join(folder.path, 'pid');
    await writeFile(
      program,
      `import { writeFileSync } from 'node:fs';
      writeFileSync(${JSON.stringify(mark)}, String(process.pid));
      const start = Date.now();
      while (Date.now() < start + 30_000);`,
    );
    const sessions = new TensorSessions({
      environment: async () => ({}),
      start: (environment, listener) => new TensorProcess(program, environment, listener),
      startMs: 2_000,
    });
    await expect(sessions.open('client', named(0), new Outlet())).rejects.toEqual(
      code('tensor-engine-silent'),
    );
    const process = Number(await readFile(mark, 'utf8'));
    await vi.waitFor(() => expect(nodeSystem.processes.isAlive(process)).toBe(false), 10_000);
  });

  test('wait for their client when its connection is gone, and end when it does not come', async () => {
    vi.useFakeTimers();
    try {
      const sessions = make(1_000);
      const outlet = new Outlet();
      await sessions.open('client', named(1), outlet);
      sessions.detach(outlet);
      vi.advanceTimersByTime(900);
      const next = new Outlet();
      await sessions.open('client', { ...named(1), resume: true }, next);
      vi.advanceTimersByTime(5_000);
      expect(takers[0]?.kill).not.toHaveBeenCalled();
      sessions.detach(next);
      vi.advanceTimersByTime(1_001);
      expect(takers[0]?.kill).toHaveBeenCalled();
      const late = sessions.open('client', { ...named(1), resume: true }, new Outlet());
      await expect(late).rejects.toEqual(code('unknown-tensor-session'));
    } finally {
      vi.useRealTimers();
    }
  });
});
