import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { WebSocketSink } from '../../../shared/websocket-sink.ts';
import { websocketReader } from './websocket-reader.ts';

const lengths = [0, 1, 125, 126, 127, 4_096];

/** What a reader at the other end makes of messages sent by a sink, and what was left to the socket. */
async function arrived(masked: boolean, messages: readonly Uint8Array[]) {
  const line = new PassThrough();
  const reader = websocketReader({ isServer: masked, maxPayload: 1_000_000 });
  const read: Buffer[] = [];
  reader.on('message', (data: Buffer) => read.push(Buffer.from(data)));
  const writes: Buffer[] = [];
  line.on('data', (part: Buffer) => {
    writes.push(part);
    reader.write(part);
  });
  const left: Uint8Array[] = [];
  const socket = {
    bufferedAmount: 17,
    send: (message: Uint8Array, sent: () => void) => {
      left.push(message);
      sent();
    },
  };
  const sink = new WebSocketSink(socket, line, { masked });
  await Promise.all(
    messages.map((message) => new Promise<void>((resolve) => sink.send(message, resolve))),
  );
  return { sink, read, writes, left };
}

for (const masked of [false, true]) {
  test(`a short message is one write, which the other end reads as it was (${masked ? 'client' : 'worker'})`, async () => {
    const messages = lengths.map((length) => Buffer.alloc(length, length % 251));
    const { read, writes, left } = await arrived(masked, messages);
    expect(read).toEqual(messages);
    expect(writes).toHaveLength(messages.length);
    expect(left).toEqual([]);
  });
}

test('a long message goes the way of the socket, without a copy, and what waits there is what waits', async () => {
  const long = Buffer.alloc(4_097);
  const { sink, left } = await arrived(false, [long]);
  expect(left[0]).toBe(long);
  expect(sink.bufferedAmount).toBe(17);
});
