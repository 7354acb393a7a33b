import { TeletrainError } from '../../shared/errors.ts';
import {
  FrameSender,
  type FrameSink,
  type Priority,
  priorityOf,
} from '../../shared/frame-sender.ts';
import { encodeFrame } from '../../shared/frames.ts';
import { limits } from '../../shared/limits.ts';
import type { FrameKind } from '../../shared/messages.ts';
import { releaseBytes } from '../../shared/release-bytes.ts';
import type { MessageSocket } from './message-socket.ts';

/** A client that lets so many bytes wait to be sent is not listened to until it takes them. */
const mostUntaken = 2 * limits.frameBytes;

export interface OutgoingOptions {
  readonly sink: FrameSink;
  /** There may be room again for events of the runs that are followed, */
  readonly sendEvents: () => void;
  /** and for results of tensor sessions. */
  readonly sendResults: () => void;
  /** The client takes what it was sent: it is there, though nothing is heard of it. */
  readonly onTaken: () => void;
  /** @returns what the client is told of a fault of ours. */
  readonly fault: (what: string, error: unknown) => TeletrainError;
}

/** What one connection sends: nothing once its socket closes, and no more than its client takes. */
export class Outgoing {
  readonly #socket: MessageSocket;
  readonly #options: OutgoingOptions;
  readonly #sender: FrameSender;
  readonly #waitingForRoom: (() => void)[] = [];
  #isDeaf = false;

  constructor(socket: MessageSocket, options: OutgoingOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#sender = new FrameSender(options.sink, () => this.#onLeft());
  }

  /** Bytes that were given and have not left this program. */
  get waitingBytes(): number {
    return this.#sender.waitingBytes;
  }

  hasRoom(priority: Priority): boolean {
    return this.#sender.hasRoom(priority);
  }

  send(kind: FrameKind, header: unknown, payload?: Uint8Array, priority?: Priority): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    let frame: Buffer;
    try {
      frame = encodeFrame(kind, header, payload);
    } catch (error) {
      const told =
        error instanceof TeletrainError ? error : this.#options.fault(`sending a ${kind}`, error);
      // An answer that cannot be sent is answered all the same.
      // Every header is an object; those of answers have an id.
      const { id } = header as { id?: string };
      frame = encodeFrame('error', { ...(id === undefined ? {} : { id }), error: told.toJSON() });
    }
    this.sendFrame(priority ?? priorityOf(kind, frame.byteLength), frame);
  }

  /** @param sent called when the frame left this program; never where it ends first. */
  sendFrame(priority: Priority, frame: Uint8Array, sent = () => releaseBytes(frame)): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#sender.send(priority, frame, sent);
    if (this.#sender.waitingBytes <= mostUntaken || this.#isDeaf) return;
    this.#isDeaf = true;
    this.#socket.pause();
  }

  /** Resolves when there is room for a chunk of a file, or the connection is gone. */
  room(): Promise<void> {
    if (this.hasRoom('bulk') || this.#socket.readyState !== this.#socket.OPEN) {
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waitingForRoom.push(resolve));
  }

  /** The socket is closed: nobody waits for room in it. */
  end(): void {
    for (const wake of this.#waitingForRoom.splice(0)) wake();
  }

  /** Something left: calls come before bulk, and files and tensors take turns. */
  #onLeft(): void {
    if (this.#isDeaf) {
      this.#options.onTaken();
      this.#isDeaf = this.#sender.waitingBytes > mostUntaken / 2;
      if (!this.#isDeaf) this.#socket.resume();
    }
    this.#options.sendEvents();
    if (this.hasRoom('bulk')) for (const wake of this.#waitingForRoom.splice(0)) wake();
    this.#options.sendResults();
  }
}
