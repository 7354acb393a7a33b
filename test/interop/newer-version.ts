import { once } from 'node:events';
import { type WebSocket as Socket, WebSocket, WebSocketServer } from 'ws';
import { decodeFrame, encodeFrame } from '../../shared/frames.ts';
import { subprotocol } from '../../shared/limits.ts';
import { webSocketUrlOf } from '../integration/support/loopback.ts';

/** Maps that hold names of somebody's choice and not the protocol's fields. */
const mapsOfNames = ['settings', 'quick', 'limits'];

/** What a newer version 1 may make of a header: fields that nobody has heard of, in every map. */
export function withNewerFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNewerFields);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const parts = Object.entries(value).map(([key, part]): [string, unknown] => {
    return [key, mapsOfNames.includes(key) ? part : withNewerFields(part)];
  });
  const newer = { of: ['a', 1, 2.5, Number.NaN, null, true], bytes: Buffer.of(1, 2, 3) };
  return { ...Object.fromEntries(parts), newerNote: 'x', newerMap: newer };
}

/** A frame of a kind that no version has yet; its header is not even msgpack. */
export function newerFrame(kind: number, payload = Buffer.from('whatever')): Buffer {
  const bytes = Buffer.concat([encodeFrame('ping', { time: 1 }), payload]);
  bytes[2] = kind;
  bytes.writeUInt32LE(payload.length, 8);
  bytes.fill(0xc1, 16, 32);
  return bytes;
}

/** Event types that a newer version has other names and fields for. */
const renamed: Readonly<Record<string, string>> = { epoch: 'epoch-report', rewind: 'time-travel' };

/**
 * Stands between a client and a worker and makes each look newer to the other: every map of every
 * frame has fields more, some events are of types that are not known, and frames of other kinds come
 * in between.
 */
export class NewerPeers implements AsyncDisposable {
  readonly #server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  /** Frames that were changed, by their kinds. */
  readonly changed = new Map<string, number>();

  private constructor(worker: string) {
    this.#server.on('connection', (client) => {
      const upstream = new WebSocket(worker, subprotocol, { perMessageDeflate: false });
      const early: Buffer[] = [];
      upstream.on('open', () => {
        for (const message of early.splice(0)) upstream.send(message);
      });
      this.#join(client, (message) => {
        if (upstream.readyState === WebSocket.OPEN) upstream.send(message);
        else early.push(message);
      });
      this.#join(upstream, (message) => client.send(message));
      client.on('close', () => upstream.close());
      upstream.on('close', () => client.close());
    });
  }

  static async of(worker: string): Promise<NewerPeers> {
    const peers = new NewerPeers(worker);
    await once(peers.#server, 'listening');
    return peers;
  }

  get url(): string {
    return webSocketUrlOf(this.#server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(from: Socket, pass: (message: Buffer) => void): void {
    from.on('error', () => {});
    from.on('message', (message: Buffer) => {
      const { kind, header, payload } = decodeFrame(message);
      if (kind === 'unknown') throw new Error('neither end makes such a frame');
      this.changed.set(kind, (this.changed.get(kind) ?? 0) + 1);
      pass(encodeFrame(kind, withNewerFields(retyped(kind, header)), payload));
      if (kind !== 'bye' && kind !== 'hello') pass(newerFrame(200));
    });
  }
}

function retyped(kind: string, header: unknown): unknown {
  if (kind !== 'event') return header;
  // The worker's own frame; only its type is looked at.
  const { event } = header as { event: { type: string } };
  return { event: { ...event, type: renamed[event.type] ?? event.type } };
}
