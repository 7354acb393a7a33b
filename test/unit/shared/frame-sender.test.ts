import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  FrameSender,
  type FrameSink,
  mostWaiting,
  type Priority,
  priorityOf,
} from '../../../shared/frame-sender.ts';

/** A socket that takes bytes when it is told to. */
class SlowSocket implements FrameSink {
  readonly #waiting: { frame: Uint8Array; sent: () => void }[] = [];
  readonly put: Uint8Array[] = [];
  bufferedAmount = 0;

  send(frame: Uint8Array, sent: () => void): void {
    this.put.push(frame);
    this.#waiting.push({ frame, sent });
    this.bufferedAmount += frame.byteLength;
  }

  /** The oldest frame leaves. @returns whether there was one. */
  leave(): boolean {
    const next = this.#waiting.shift();
    if (next === undefined) return false;
    this.bufferedAmount -= next.frame.byteLength;
    next.sent();
    return true;
  }
}

const chunk = 256 * 1024;
const bytes = (length: number) => new Uint8Array(length);

test('a request waits for one chunk of an upload, however much of it there is', () => {
  const socket = new SlowSocket();
  const sender = new FrameSender(socket, () => {});
  for (let count = 0; count < 100; count += 1) sender.send('bulk', bytes(chunk));
  const request = bytes(100);
  sender.send('calls', request);
  expect(socket.put.indexOf(request)).toBe(1);
  expect(sender.waitingBytes).toBe(100 * chunk + 100);
});

test('a pong goes at once, whatever waits', () => {
  const socket = new SlowSocket();
  const sender = new FrameSender(socket, () => {});
  for (let count = 0; count < 100; count += 1) {
    sender.send('calls', bytes(chunk));
    sender.send('bulk', bytes(chunk));
  }
  const pong = bytes(32);
  sender.send('control', pong);
  expect(socket.put.at(-1)).toBe(pong);
  expect(socket.bufferedAmount).toBeLessThanOrEqual(mostWaiting.calls + chunk);
});

test('whoever asks for room first never has more wait than a bound and one frame', () => {
  const socket = new SlowSocket();
  let left = 1_000;
  let most = 0;
  const pump = (): void => {
    for (; left > 0 && sender.hasRoom('bulk'); left -= 1) sender.send('bulk', bytes(chunk + 100));
    most = Math.max(most, sender.waitingBytes);
  };
  const sender = new FrameSender(socket, pump);
  pump();
  while (socket.leave());
  expect(left).toBe(0);
  expect(socket.put).toHaveLength(1_000);
  expect(most).toBeLessThan(mostWaiting.bulk + chunk + 100);
});

test('nothing is lost, what has one priority keeps its order, and bulk passes no call', () => {
  const priorities: readonly Priority[] = ['control', 'calls', 'bulk'];
  const act = fc.oneof(
    fc.record({ priority: fc.constantFrom(...priorities), length: fc.nat(400_000) }),
    fc.constant('leave' as const),
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const socket = new SlowSocket();
      const sender = new FrameSender(socket, () => {});
      const given: { priority: Priority; frame: Uint8Array }[] = [];
      let told = 0;
      for (const one of acts) {
        if (one === 'leave') {
          socket.leave();
          continue;
        }
        const frame = bytes(one.length);
        given.push({ priority: one.priority, frame });
        sender.send(one.priority, frame, () => {
          told += 1;
        });
        // What may wait in the socket besides control, which is let through.
        const others = given.filter(({ priority }) => priority !== 'control');
        const inSocket = others.filter((other) => socket.put.includes(other.frame));
        if (inSocket.length < others.length) {
          const waiting = others.filter((other) => !socket.put.includes(other.frame));
          expect(sender.hasRoom('bulk')).toBe(false);
          if (waiting.some(({ priority }) => priority === 'calls')) {
            expect(sender.hasRoom('calls')).toBe(false);
          }
        }
      }
      while (socket.leave());
      expect(told).toBe(given.length);
      expect(sender.waitingBytes).toBe(0);
      for (const wanted of priorities) {
        const sentOf = socket.put.filter((frame) =>
          given.some((one) => one.frame === frame && one.priority === wanted),
        );
        const givenOf = given.filter(({ priority }) => priority === wanted);
        expect(sentOf.every((frame, place) => frame === givenOf[place]?.frame)).toBe(true);
      }
    }),
  );
});

test('messages have the priority of what they carry', () => {
  expect(priorityOf('ping', 32)).toBe('control');
  expect(priorityOf('response', 300)).toBe('control');
  expect(priorityOf('request', 300)).toBe('calls');
  expect(priorityOf('commands', 4_000)).toBe('calls');
  // An event that holds a grid of samples stays among the events.
  expect(priorityOf('event', 900_000)).toBe('calls');
  for (const kind of ['request', 'response', 'commands', 'results'] as const) {
    expect(priorityOf(kind, chunk)).toBe('bulk');
  }
});

test('a frame that leaves at once is told as sent, and nobody is told of room that there was before', () => {
  let rooms = 0;
  const sink = { bufferedAmount: 0, send: () => true };
  const sender = new FrameSender(sink, () => {
    rooms += 1;
  });
  let sent = 0;
  for (let count = 0; count < 3; count += 1) {
    sender.send('calls', bytes(10), () => {
      sent += 1;
    });
  }
  expect(sent).toBe(3);
  expect(rooms).toBe(0);
  expect(sender.waitingBytes).toBe(0);
});
