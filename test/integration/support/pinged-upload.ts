import { randomBytes, randomUUID } from 'node:crypto';
import { TensorLink } from '../../../client/remote/tensor-link.ts';
import { openSocket, type Socket } from '../../../client/session/socket.ts';
import { WorkerLink } from '../../../client/session/worker-link.ts';
import { decodeFrame, encodeFrame, encodeFrameOfParts } from '../../../shared/frames.ts';
import { limits } from '../../../shared/limits.ts';
import type { Hello } from '../../../shared/messages.ts';
import { encodeBatch } from '../../../shared/tensors/batch.ts';

export interface PingedUpload {
  /** From the first part sent to the last one that the worker is done with. */
  readonly ms: number;
  /** Round trips of pings, and of requests, on the uploading connection while it uploads, in ms. */
  readonly pings: readonly number[];
  readonly requests: readonly number[];
}

const everyMs = 5;

/**
 * Uploads a tensor by the client's own link and sends pings and requests beside it on the same
 * connection, as fast as one each 5 ms.
 */
export async function pingedUpload(
  url: string,
  auth: Hello['auth'],
  megabytes: number,
): Promise<PingedUpload> {
  let socket: Socket | undefined;
  const pongs = new Map<number, () => void>();
  const link = new WorkerLink({
    client: { id: randomUUID(), name: 'pinged-upload', version: '0.0.0' },
    endpoint: async () => ({ url, auth }),
    openSocket: (to, listener) => {
      socket = openSocket(to, {
        ...listener,
        received: (message) => {
          const { kind, header } = decodeFrame(message);
          if (kind === 'pong') pongs.get((header as { time: number }).time)?.();
          return listener.received(message);
        },
      });
      return socket;
    },
  });
  const session = randomBytes(18).toString('base64url');
  let taken = 0;
  let onTaken = (): void => {};
  const tensors = new TensorLink(link, session, {
    result: () => {},
    progress: (done) => {
      taken = done;
      onTaken();
    },
    ended: (error) => {
      throw error;
    },
  });
  await tensors.open(20_000);
  const timed = async (wait: Promise<unknown>, trips: number[]): Promise<void> => {
    const start = performance.now();
    await wait;
    trips.push(performance.now() - start);
  };
  const pings: number[] = [];
  const requests: number[] = [];
  const ping = async (): Promise<void> => {
    const time = performance.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    pongs.set(time, resolve);
    socket?.send('control', encodeFrame('ping', { time }));
    await promise;
    pongs.delete(time);
  };
  let isDone = false;
  const asking = (async () => {
    while (!isDone) {
      const request = link.request('run.unfollow', { run: 'none' });
      await Promise.all([timed(ping(), pings), timed(request, requests)]);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();

  const bytes = megabytes * 2 ** 20;
  const chunk = new Uint8Array(limits.chunkBytes).fill(1);
  const start = performance.now();
  let sent = 0;
  const send = (command: readonly unknown[], raw: readonly Uint8Array[]): void => {
    sent += 1;
    const header = { session, number: sent, got: 0 };
    const frame = encodeFrameOfParts('commands', header, encodeBatch([command], raw));
    tensors.send(sent, frame);
  };
  send(['upload', 1, 'float32', [bytes / 4], bytes, -1], []);
  const framesAhead = Math.floor(limits.tensorWindowBytes / (limits.chunkBytes + 4_096));
  for (let offset = 0; offset < bytes; offset += chunk.length) {
    while (sent - taken >= framesAhead) {
      await new Promise<void>((resolve) => {
        onTaken = resolve;
      });
    }
    send(['part', 1, offset, 0, chunk.length], [chunk]);
  }
  while (taken < sent) {
    await new Promise<void>((resolve) => {
      onTaken = resolve;
    });
  }
  const ms = performance.now() - start;
  isDone = true;
  await asking;
  await tensors.close();
  return { ms, pings, requests };
}
