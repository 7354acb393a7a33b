import type { Socket } from 'node:net';
import type { Random } from '../../worker/engine/random.ts';

/** What is done to the bytes of one direction. Nothing by default. */
export interface LineConditions {
  /** Each byte takes so many ms. */
  readonly delayMs?: number;
  /** And up to so many more, drawn for each piece; pieces never overtake one another. */
  readonly jitterMs?: number;
  /** No more than so many bytes a second leave. */
  readonly bytesPerSecond?: number;
  /**
   * What arrived is passed on in pieces of 1 to so many bytes, each by a write and in a turn of the
   * event loop of its own. A reader that is slower still finds several of them at once.
   */
  readonly pieceBytes?: number;
}

export interface LaneOptions {
  readonly random: Random;
  readonly conditions: LineConditions;
  readonly onPassed: (bytes: number) => void;
}

/** The sender is not read from while so much waits: a slow line pushes back. */
const mostWaiting = 64 * 1024;

interface Piece {
  readonly bytes: Buffer;
  readonly dueAt: number;
}

/** One direction of a connection: bytes from one socket to the other, later and in other pieces. */
export class Lane {
  conditions: LineConditions;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: LaneOptions;
  readonly #pieces: Piece[] = [];
  #waiting = 0;
  #lastDueAt = 0;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #isBlocked = false;
  #isEnding = false;
  #isVanished = false;

  constructor(from: Socket, to: Socket, options: LaneOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    this.conditions = options.conditions;
    from.on('data', (bytes) => this.#take(bytes));
    from.on('end', () => this.end());
    to.on('drain', () => {
      this.#isBlocked = false;
      this.#schedule();
    });
  }

  /** Sends what is on the way, then a FIN; takes nothing more. */
  end(): void {
    if (this.#isEnding || this.#isVanished) return;
    this.#isEnding = true;
    this.#schedule();
  }

  /** What is on the way and what comes is lost, the end too. */
  vanish(): void {
    this.#isVanished = true;
    this.#pieces.splice(0);
    this.#waiting = 0;
    this.#from.resume();
  }

  #take(bytes: Buffer): void {
    if (this.#isVanished || this.#isEnding) return;
    for (let at = 0; at < bytes.length; ) {
      const { delayMs = 0, jitterMs = 0, bytesPerSecond, pieceBytes } = this.conditions;
      const { random } = this.#options;
      const most = pieceBytes ?? throttledPiece(bytesPerSecond) ?? bytes.length;
      const length = pieceBytes === undefined ? most : 1 + random.nextBelow(most);
      const piece = bytes.subarray(at, at + length);
      const arrival = performance.now() + delayMs + jitterMs * random.next();
      const busyMs = bytesPerSecond === undefined ? 0 : (1000 * piece.length) / bytesPerSecond;
      const dueAt = Math.max(arrival, this.#lastDueAt) + busyMs;
      this.#lastDueAt = dueAt;
      this.#pieces.push({ bytes: piece, dueAt });
      this.#waiting += piece.length;
      at += piece.length;
    }
    if (this.#waiting > mostWaiting) this.#from.pause();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isBlocked || this.#to.destroyed) return;
    const [next] = this.#pieces;
    if (!next) {
      if (this.#isEnding) this.#to.end();
      return;
    }
    const wait = next.dueAt - performance.now();
    const go = (): void => {
      this.#timer = undefined;
      this.#pass();
    };
    this.#timer = wait > 1 ? setTimeout(go, wait) : setImmediate(go);
  }

  /** One piece a turn where they are to stay apart, else all that are due. */
  #pass(): void {
    do {
      const [next] = this.#pieces;
      if (!next || next.dueAt > performance.now() + 1) break;
      this.#pieces.shift();
      this.#waiting -= next.bytes.length;
      this.#options.onPassed(next.bytes.length);
      // A cut may have been waiting for this very byte.
      if (this.#to.destroyed) return;
      this.#isBlocked = !this.#to.write(next.bytes);
    } while (!this.#isBlocked && this.conditions.pieceBytes === undefined);
    if (this.#waiting < mostWaiting / 2) this.#from.resume();
    this.#schedule();
  }
}

/** A throttled line gives a little at a time, not a second's worth at once. */
function throttledPiece(bytesPerSecond: number | undefined): number | undefined {
  return bytesPerSecond === undefined ? undefined : Math.max(1, Math.ceil(bytesPerSecond / 50));
}
