import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Connection } from '../../../../client/session/connection.ts';
import type { ConnectionEffect } from '../../../../client/session/connection-effects.ts';
import { defaultTimes } from '../../../../client/session/connection-times.ts';
import { TeletrainError } from '../../../../shared/errors.ts';
import { decodeFrame, encodeFrame } from '../../../../shared/frames.ts';
import { limits } from '../../../../shared/limits.ts';
import { metric, record, SimulatedWorker } from './simulated-worker.ts';

const client = { id: 'client-1', name: 'teletrain', version: '0.1.0' };
const auth = { token: 'a-token' };

/** The machine, a worker and the wire between them, with a clock that the test moves. */
class Wire {
  now = 0;
  isOpen = false;
  readonly worker = new SimulatedWorker();
  readonly machine: Connection;
  readonly effects: ConnectionEffect[] = [];
  readonly #toWorker: Uint8Array[] = [];
  readonly #toClient: Uint8Array[] = [];
  /** What the machine ever sent. */
  readonly sent: { kind: string; header: unknown }[] = [];

  constructor(lastEpoch?: string) {
    this.machine = new Connection({
      client,
      requestPrefix: 'p',
      random: () => 1,
      ...(lastEpoch === undefined ? {} : { lastEpoch }),
    });
  }

  do(effects: readonly ConnectionEffect[]): void {
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.type === 'send') {
        this.sent.push(effect);
        if (this.isOpen) {
          this.#toWorker.push(encodeFrame(effect.kind, effect.header, effect.payload));
        }
      }
      if (effect.type === 'close' || effect.type === 'terminate') this.#drop();
    }
  }

  /** Opens the socket that the machine asked for. */
  open(): void {
    this.isOpen = true;
    this.do(this.machine.opened(this.now, auth));
  }

  cut(): void {
    if (!this.isOpen) return;
    this.#drop();
    this.do(this.machine.closed(this.now, 1006, 'cut'));
  }

  #drop(): void {
    this.isOpen = false;
    this.#toWorker.length = 0;
    this.#toClient.length = 0;
    this.worker.cut();
  }

  up(count = Number.POSITIVE_INFINITY): void {
    for (const message of this.#toWorker.splice(0, count)) this.worker.receive(message);
    if (this.isOpen) this.#toClient.push(...this.worker.takeSent());
  }

  down(count = Number.POSITIVE_INFINITY): void {
    if (this.isOpen) this.#toClient.push(...this.worker.takeSent());
    for (const message of this.#toClient.splice(0, count)) {
      if (this.isOpen) this.do(this.machine.received(this.now, message));
    }
  }

  /** Lets the messages go to and fro until there are none. */
  settle(): void {
    for (let round = 0; round < 50; round += 1) {
      this.up();
      this.down();
    }
  }

  connect(): void {
    this.do(this.machine.start(this.now));
    this.open();
    this.settle();
  }

  wait(milliseconds: number): void {
    this.now += milliseconds;
    this.do(this.machine.tick(this.now));
  }

  lastRequestId(): string {
    const request = this.sent.findLast(({ kind }) => kind === 'request');
    if (!request) throw new Error('there was no request');
    return (request.header as { id: string }).id;
  }

  seqs(): number[] {
    return this.effects.flatMap((effect) => (effect.type === 'event' ? [effect.event.seq] : []));
  }

  answers(): string[] {
    return this.effects.flatMap((effect) => (effect.type === 'answer' ? [effect.id] : []));
  }

  rejections(): string[] {
    return this.effects.flatMap((e) => (e.type === 'rejected' ? [e.error.code] : []));
  }
}

describe('a connection', () => {
  test('greets with its token, and measures the round trip by pings', () => {
    const wire = new Wire();
    wire.do(wire.machine.start(0));
    expect(wire.machine.state).toEqual({ kind: 'connecting', attempt: 1 });
    wire.open();
    expect(wire.sent[0]).toMatchObject({ kind: 'hello', header: { auth, client } });
    wire.up();
    wire.down();
    wire.now += 40;
    wire.settle();
    expect(wire.machine.state).toEqual({
      kind: 'connected',
      since: 0,
      roundTripMs: 40,
      restarted: false,
    });
  });

  test('is refused by a worker that does not show to be the one, and after it was there goes on trying', () => {
    const changed = new TeletrainError('certificate-changed', 'Another key.', { hint: 'Do not.' });
    const first = new Wire();
    first.do(first.machine.start(0));
    first.do(first.machine.untrusted(0, changed));
    expect(first.machine.state).toMatchObject({ kind: 'refused', code: 'certificate-changed' });
    expect(first.sent).toEqual([]);

    const wire = new Wire();
    wire.connect();
    wire.do(wire.machine.closed(wire.now, 1006, ''));
    wire.wait(defaultTimes.longestDelayMs);
    wire.do(wire.machine.untrusted(wire.now, changed));
    expect(wire.machine.state).toMatchObject({ kind: 'waiting', reason: 'Another key.' });
  });

  test('tells that pings go unanswered instead of an old round trip, until one is answered', () => {
    const wire = new Wire();
    wire.connect();
    wire.wait(defaultTimes.pingMs);
    wire.settle();
    expect(wire.machine.state).toMatchObject({ kind: 'connected', roundTripMs: 0 });

    wire.wait(defaultTimes.pingMs);
    const since = wire.now;
    wire.wait(defaultTimes.pingMs);
    expect(wire.machine.state).not.toHaveProperty('unansweredSince');
    wire.effects.length = 0;
    wire.wait(defaultTimes.pingMs);
    expect(wire.machine.state).toMatchObject({ kind: 'connected', unansweredSince: since });
    expect(wire.machine.state).not.toHaveProperty('roundTripMs');
    expect(wire.effects).toContainEqual({ type: 'state', state: wire.machine.state });

    wire.settle();
    expect(wire.machine.state).toMatchObject({ kind: 'connected', roundTripMs: 0 });
    expect(wire.machine.state).not.toHaveProperty('unansweredSince');
  });

  test('a connection made again does not show the round trip or the silence of the one before', () => {
    const wire = new Wire();
    wire.connect();
    wire.wait(defaultTimes.pingMs);
    wire.wait(defaultTimes.pingMs);
    wire.wait(defaultTimes.pingMs);
    expect(wire.machine.state).toHaveProperty('unansweredSince');
    wire.cut();
    wire.wait(10_000);
    wire.open();
    wire.up();
    wire.down();
    expect(wire.machine.state).toEqual({ kind: 'connected', since: wire.now, restarted: false });
  });

  test('says that the worker was started anew, also where another program saw it before', () => {
    const wire = new Wire();
    wire.connect();
    wire.cut();
    wire.worker.epoch = 'epoch-2';
    wire.wait(10_000);
    wire.open();
    wire.settle();
    expect(wire.machine.state).toMatchObject({ kind: 'connected', restarted: true });

    const later = new Wire('epoch-0');
    later.connect();
    expect(later.machine.state).toMatchObject({ kind: 'connected', restarted: true });
  });

  test('sends an unanswered request again with the same id, and its answer counts once', () => {
    const wire = new Wire();
    wire.connect();
    const { id, effects } = wire.machine.request(0, 'run.pause', { run: record.id });
    wire.do(effects);
    wire.up();
    wire.cut();
    wire.wait(10_000);
    wire.open();
    wire.settle();
    const requests = wire.sent.filter(({ kind }) => kind === 'request');
    expect(requests.map(({ header }) => (header as { id: string }).id)).toEqual([id, id]);
    expect(wire.worker.done).toEqual(new Map([[id, 1]]));
    expect(wire.answers()).toEqual([id]);
  });

  test('waits longer from attempt to attempt, to a limit, and starts anew once it settled', () => {
    const wire = new Wire();
    const delays: number[] = [];
    wire.do(wire.machine.start(0));
    for (let attempt = 0; attempt < 9; attempt += 1) {
      wire.do(wire.machine.closed(wire.now, 1006, 'nothing listens there'));
      const { state } = wire.machine;
      if (state.kind !== 'waiting') throw new Error(state.kind);
      delays.push(state.retryAt - wire.now);
      wire.now = state.retryAt;
      wire.do(wire.machine.tick(wire.now));
    }
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000]);
    wire.open();
    wire.settle();
    wire.now += defaultTimes.settledMs;
    wire.cut();
    expect(wire.machine.state).toMatchObject({ attempt: 0, retryAt: wire.now + 250 });
  });

  test('gives up a connection on which nothing is heard, though it sends pings', () => {
    const wire = new Wire();
    wire.connect();
    const pings = (): number => wire.sent.filter(({ kind }) => kind === 'ping').length;
    expect(pings()).toBe(1);
    // Half open: what is sent goes nowhere.
    for (let passed = 0; passed < limits.silenceMs; passed += 1_000) wire.wait(1_000);
    expect(pings()).toBeGreaterThanOrEqual(limits.silenceMs / limits.heartbeatMs);
    expect(wire.effects).toContainEqual({ type: 'terminate' });
    expect(wire.machine.state).toMatchObject({ kind: 'waiting' });
  });

  test('waits for a message as long as bytes of it arrive, and no longer than silence may last after the last', () => {
    const wire = new Wire();
    wire.connect();
    for (let passed = 0; passed < 3 * limits.silenceMs; passed += 1_000) {
      wire.wait(1_000);
      if (passed % (limits.silenceMs - 2_000) === 0) wire.machine.heard(wire.now);
    }
    expect(wire.machine.state).toMatchObject({ kind: 'connected' });
    wire.machine.heard(wire.now);
    wire.wait(limits.silenceMs - 1);
    expect(wire.effects).not.toContainEqual({ type: 'terminate' });
    wire.wait(1);
    expect(wire.effects).toContainEqual({ type: 'terminate' });
  });

  test('a socket that nobody reads is not taken for dead, and its worker hears of us all the while', () => {
    const wire = new Wire();
    wire.connect();
    wire.machine.hold();
    for (let passed = 0; passed < 3 * limits.silenceMs; passed += 1_000) wire.wait(1_000);
    expect(wire.machine.state).toMatchObject({ kind: 'connected' });
    expect(wire.machine.state).not.toHaveProperty('unansweredSince');
    const pings = wire.sent.filter(({ kind }) => kind === 'ping').length;
    expect(pings).toBeGreaterThanOrEqual((3 * limits.silenceMs) / limits.heartbeatMs);
    // Read again, it may turn out to be dead after all.
    wire.do(wire.machine.release(wire.now));
    for (let passed = 0; passed < limits.silenceMs; passed += 1_000) wire.wait(1_000);
    expect(wire.effects).toContainEqual({ type: 'terminate' });
  });

  test('does not try again after a wrong token, and says so to whoever waits', () => {
    const wire = new Wire();
    wire.do(wire.machine.start(0));
    wire.do(wire.machine.request(0, 'worker.info', {}).effects);
    wire.open();
    const error = { code: 'unauthorised', message: 'No such token.', hint: 'Pair again.' };
    wire.do(wire.machine.received(0, encodeFrame('error', { error })));
    wire.do(wire.machine.closed(0, 4401, 'unauthorised'));
    expect(wire.machine.state).toEqual({ kind: 'refused', ...error });
    expect(wire.rejections()).toEqual(['unauthorised']);
    wire.wait(1e9);
    expect(wire.effects.filter(({ type }) => type === 'connect')).toHaveLength(1);
    wire.do(wire.machine.request(wire.now, 'worker.info', {}).effects);
    expect(wire.rejections()).toEqual(['unauthorised', 'unauthorised']);
  });

  test('refuses a worker of a protocol version that it does not know', () => {
    const wire = new Wire();
    wire.do(wire.machine.start(0));
    wire.open();
    const worker = { id: 'w', name: 'w', version: '9', epoch: 'e', startedAt: 1 };
    const welcome = { protocol: 9, worker, capabilities: [], limits: {} };
    wire.do(wire.machine.received(0, encodeFrame('welcome', welcome)));
    expect(wire.machine.state).toMatchObject({ kind: 'refused', code: 'unsupported-version' });
  });

  test('rejects a request as worker-lost once its patience is over without a connection', () => {
    const wire = new Wire();
    wire.connect();
    wire.now = 5_000;
    wire.cut();
    const { effects } = wire.machine.request(5_000, 'run.pause', { run: 'r' }, { patienceMs: 900 });
    wire.do(effects);
    wire.wait(899);
    expect(wire.rejections()).toEqual([]);
    wire.wait(1);
    expect(wire.rejections()).toEqual(['worker-lost']);
  });

  test('asks once for events that are missing, and gives the connection up where they stay away', () => {
    const wire = new Wire();
    wire.connect();
    wire.do(wire.machine.follow(0, record.id, 1));
    wire.settle();
    const hear = (seq: number): void => {
      wire.do(wire.machine.received(0, encodeFrame('event', { event: metric(seq) })));
    };
    hear(1);
    hear(3);
    const asked = wire.sent.filter(
      ({ header }) => (header as { method?: string }).method === 'run.follow',
    );
    expect(asked.map(({ header }) => (header as { params: unknown }).params)).toEqual([
      { run: record.id, fromSeq: 1, drawings: true },
      { run: record.id, fromSeq: 2, drawings: true },
    ]);
    hear(4);
    wire.settle();
    expect(wire.isOpen).toBe(true);
    hear(3);
    expect(wire.machine.state).toMatchObject({ kind: 'waiting' });
    expect(wire.seqs()).toEqual([1]);
  });

  test('begins at the first event that the worker has, of a run that came from another', () => {
    const wire = new Wire();
    wire.connect();
    wire.do(wire.machine.follow(0, record.id, 1));
    const id = wire.lastRequestId();
    const numbers = { lastSeq: 8, firstSeq: 7, lives: [] };
    const summary = { record, state: 'running', step: 0, epoch: 0, ...numbers };
    const answer = encodeFrame('response', { id, result: { summary } });
    wire.do(wire.machine.received(0, answer));
    for (const seq of [7, 8]) {
      wire.do(wire.machine.received(0, encodeFrame('event', { event: metric(seq) })));
    }
    expect(wire.seqs()).toEqual([7, 8]);
  });

  test('tells of a run that the worker does not know, once', () => {
    const wire = new Wire();
    wire.connect();
    wire.do(wire.machine.follow(0, record.id, 1));
    const id = wire.lastRequestId();
    const error = { code: 'unknown-run', message: 'No such run.', hint: 'See runs.' };
    wire.do(wire.machine.received(0, encodeFrame('error', { id, error })));
    expect(wire.effects.at(-1)).toMatchObject({ type: 'follow-failed', run: record.id });
    wire.cut();
    wire.wait(10_000);
    wire.open();
    wire.settle();
    expect(wire.effects.filter(({ type }) => type === 'follow-failed')).toHaveLength(1);
  });

  test('tells a worker that a request is no longer waited for', () => {
    const wire = new Wire();
    wire.connect();
    const { id, effects } = wire.machine.request(0, 'worker.info', {});
    wire.do(effects);
    wire.do(wire.machine.cancel(id));
    expect(wire.sent.at(-1)).toMatchObject({ kind: 'cancel', header: { id } });
    wire.settle();
    expect(wire.answers()).toEqual([]);
  });

  test('closes with a reason on bytes that are no frame, and on a frame of another form', () => {
    for (const message of [Buffer.from('GET / HTTP/1.1'), encodeFrame('event', { event: 7 })]) {
      const wire = new Wire();
      wire.connect();
      wire.do(wire.machine.received(0, message));
      expect(wire.effects).toContainEqual(expect.objectContaining({ type: 'close', code: 4400 }));
      expect(wire.machine.state).toMatchObject({ kind: 'waiting' });
    }
  });

  test('never throws, whatever bytes a worker sends', () => {
    const kinds = fc.constantFrom('welcome', 'response', 'error', 'event', 'status', 'pong', 'bye');
    const frames = fc.record({ kind: kinds, header: fc.jsonValue({ maxDepth: 3 }) });
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.uint8Array({ maxLength: 64 }), frames)), (messages) => {
        const wire = new Wire();
        wire.connect();
        wire.do(wire.machine.follow(0, record.id, 1));
        for (const message of messages) {
          const bytes =
            message instanceof Uint8Array
              ? message
              : encodeFrame(message.kind as 'welcome', message.header);
          wire.do(wire.machine.received(wire.now, bytes));
          if (wire.machine.state.kind === 'waiting') {
            wire.wait(60_000);
            wire.open();
            wire.settle();
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

type Action =
  | { readonly do: 'event' | 'gap' | 'request' | 'cut' | 'open' }
  | { readonly do: 'up' | 'down'; readonly count: number }
  | { readonly do: 'wait'; readonly milliseconds: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { arbitrary: fc.constantFrom({ do: 'event' as const }), weight: 6 },
  { arbitrary: fc.constantFrom({ do: 'gap' as const }), weight: 1 },
  { arbitrary: fc.constantFrom({ do: 'request' as const }), weight: 4 },
  { arbitrary: fc.constantFrom({ do: 'cut' as const }), weight: 2 },
  { arbitrary: fc.constantFrom({ do: 'open' as const }), weight: 3 },
  {
    arbitrary: fc.record({
      do: fc.constantFrom('up' as const, 'down' as const),
      count: fc.integer({ min: 1, max: 8 }),
    }),
    weight: 10,
  },
  {
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      milliseconds: fc.integer({ min: 1, max: 60_000 }),
    }),
    weight: 3,
  },
);

describe('a connection that is cut at any moment', () => {
  test('delivers every event once and in order, and does every request once', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const wire = new Wire();
        const ids: string[] = [];
        wire.connect();
        wire.do(wire.machine.follow(0, record.id, 1));
        const tryToOpen = (): void => {
          if (!wire.isOpen && wire.machine.state.kind === 'connecting') wire.open();
        };
        for (const step of actions) {
          const next = metric(wire.worker.events.length + 1);
          if (step.do === 'event') wire.worker.append(next);
          if (step.do === 'gap') wire.worker.append(next, false);
          if (step.do === 'cut') wire.cut();
          if (step.do === 'open') tryToOpen();
          if (step.do === 'up') wire.up(step.count);
          if (step.do === 'down') wire.down(step.count);
          if (step.do === 'wait') wire.wait(step.milliseconds);
          if (step.do === 'request') {
            const made = wire.machine.request(wire.now, 'run.pause', { run: record.id });
            ids.push(made.id);
            wire.do(made.effects);
          }
        }
        // A gap at the very end shows only on the next connection.
        wire.cut();
        for (let round = 0; round < 5; round += 1) {
          wire.wait(20_000);
          tryToOpen();
          wire.settle();
        }
        expect(wire.seqs()).toEqual(wire.worker.events.map(({ seq }) => seq));
        expect(wire.answers().sort()).toEqual([...ids].sort());
        for (const id of ids) expect(wire.worker.done.get(id)).toBe(1);
      }),
      { numRuns: 500 },
    );
  });

  test('never has more requests in flight than the protocol allows', () => {
    const wire = new Wire();
    wire.connect();
    for (let made = 0; made < 200; made += 1) {
      wire.do(wire.machine.request(0, 'run.pause', { run: record.id }).effects);
    }
    const sent = (): number => wire.sent.filter(({ kind }) => kind === 'request').length;
    expect(sent()).toBe(limits.requestsInFlight);
    wire.settle();
    expect(sent()).toBe(200);
    expect(wire.answers()).toHaveLength(200);
  });
});

test('a frame of the machine can be read by the worker', () => {
  const wire = new Wire();
  wire.connect();
  const payload = Uint8Array.of(1, 2, 3);
  const params = { run: record.id, checkpoint: 'step-000000001', file: 'a.bin', offset: 0 };
  const { effects } = wire.machine.request(0, 'file.write', params, { payload });
  const [effect] = effects;
  if (effect?.type !== 'send') throw new Error('nothing was sent');
  const frame = decodeFrame(encodeFrame(effect.kind, effect.header, effect.payload));
  expect([...frame.payload]).toEqual([1, 2, 3]);
});
