import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
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
    messages.map(
      (message) =>
        new Promise<void>((resolve) => {
          if (sink.send(message, resolve)) resolve();
        }),
    ),
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

test('a message that the system takes has left at once; one that it does not tells when it has, and all arrive in order', async () => {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const line = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[other]] = (await Promise.all([once(server, 'connection'), once(line, 'connect')])) as [
    [Socket],
    unknown,
  ];
  const socket = {
    get bufferedAmount() {
      return line.writableLength;
    },
    send: () => {},
  };
  const sink = new WebSocketSink(socket, line, { masked: false });
  const told: number[] = [];
  let count = 0;
  const send = (): boolean => {
    const number = count;
    const message = Buffer.alloc(4_000);
    message.writeUInt32LE(number);
    count += 1;
    return sink.send(message, () => told.push(number));
  };
  while (send()) expect(sink.bufferedAmount).toBe(0);
  const taken = count - 1;
  expect(taken).toBeGreaterThan(0);
  for (let more = 0; more < 10; more += 1) expect(send()).toBe(false);
  expect(told).toEqual([]);

  const reader = websocketReader({ isServer: false, maxPayload: 4_000 });
  const arrived: number[] = [];
  reader.on('message', (message: Buffer) => arrived.push(message.readUInt32LE()));
  other.pipe(reader);
  await expect.poll(() => arrived.length).toBe(count);
  await expect.poll(() => told.length).toBe(count - taken);
  expect(arrived).toEqual(Array.from({ length: count }, (_, number) => number));
  expect(told).toEqual(arrived.slice(taken));
  line.destroy();
  server.close();
});
