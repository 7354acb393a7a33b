import { limits } from './limits.ts';
import type { FrameKind } from './messages.ts';

/**
 * What goes first (PROTOCOL.md, "Flow control"). Control: pings, pongs, answers, farewells. Calls:
 * requests, events, small batches. Bulk: chunks of files and of tensors.
 */
export type Priority = 'control' | 'calls' | 'bulk';

/** A message longer than this is bulk, if it carries a file's or a tensor's bytes. */
const longestCall = 64 * 1024;

export function priorityOf(kind: FrameKind, frameBytes: number): Priority {
  switch (kind) {
    // Also a long one: events keep their order.
    case 'event':
    case 'status':
    case 'drawing':
      return 'calls';
    case 'request':
    case 'commands':
    case 'results':
      return frameBytes > longestCall ? 'bulk' : 'calls';
    case 'response':
      return frameBytes > longestCall ? 'bulk' : 'control';
    default:
      return 'control';
  }
}

/**
 * How many bytes may wait in the socket when a frame of a priority is put there. Control goes in any
 * case. Calls have room beyond what bulk leaves, so that they never wait for their turn behind it.
 */
export const mostWaiting: Readonly<Record<Priority, number>> = {
  control: Number.POSITIVE_INFINITY,
  calls: 2 * limits.bufferedBytes,
  bulk: limits.bufferedBytes,
};

/** A socket as far as sending goes. */
export interface FrameSink {
  /** Bytes that wait to leave this program. */
  readonly bufferedAmount: number;
  /**
   * @param left called when the frame left this program, or never will.
   * @returns true where it left at once, and `left` is not called; anything else where it is.
   */
  send(frame: Uint8Array, left: () => void): unknown;
}

interface Waiting {
  readonly frame: Uint8Array;
  readonly sent: (() => void) | undefined;
}

/**
 * The frames of one connection on their way into its socket, in three priorities and counted in
 * bytes. Those of one priority keep their order. Who has much to send asks `hasRoom` before it makes
 * a frame, so that nothing piles up here; a frame that comes all the same waits for its turn.
 */
export class FrameSender {
  readonly #sink: FrameSink;
  readonly #onRoom: () => void;
  readonly #waiting: Record<Priority, Waiting[]> = { control: [], calls: [], bulk: [] };
  #waitingBytes = 0;

  /** @param onRoom something left this program that did not leave it at once: there may be room again. */
  constructor(sink: FrameSink, onRoom: () => void) {
    this.#sink = sink;
    this.#onRoom = onRoom;
  }

  /** @param sent called when the frame left this program; never where it ends first. */
  send(priority: Priority, frame: Uint8Array, sent?: () => void): void {
    if (this.hasRoom(priority)) {
      this.#put({ frame, sent });
      return;
    }
    this.#waiting[priority].push({ frame, sent });
    this.#waitingBytes += frame.byteLength;
  }

  /** Whether a frame of that priority would be put into the socket now. */
  hasRoom(priority: Priority): boolean {
    const isFirst =
      this.#waiting[priority].length === 0 &&
      (priority !== 'bulk' || this.#waiting.calls.length === 0);
    return isFirst && this.#sink.bufferedAmount < mostWaiting[priority];
  }

  /** Bytes that were given and have not left this program. */
  get waitingBytes(): number {
    return this.#waitingBytes + this.#sink.bufferedAmount;
  }

  #put({ frame, sent }: Waiting): void {
    const hasLeft = this.#sink.send(frame, () => {
      sent?.();
      this.#putWaiting('calls');
      if (this.#waiting.calls.length === 0) this.#putWaiting('bulk');
      this.#onRoom();
    });
    if (hasLeft === true) sent?.();
  }

  #putWaiting(priority: 'calls' | 'bulk'): void {
    const waiting = this.#waiting[priority];
    while (waiting.length > 0 && this.#sink.bufferedAmount < mostWaiting[priority]) {
      const next = waiting.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.frame.byteLength;
      this.#put(next);
    }
  }
}
