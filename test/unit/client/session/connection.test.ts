import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultTimes } from '../../../../client/session/connection-times.ts';
import { TeletrainError } from '../../../../shared/errors.ts';
import { encodeFrame } from '../../../../shared/frames.ts';
import { limits } from '../../../../shared/limits.ts';
import { record } from './simulated-worker.ts';
import { auth, client, Wire } from './wire.ts';

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
