import type { TeletrainError } from '../../shared/errors.ts';
import type { Frame } from '../../shared/frames.ts';
import {
  byeSchema,
  controlFrameSchema,
  drawingFrameSchema,
  errorSchema,
  eventFrameSchema,
  pingSchema,
  responseSchema,
  resultsHeaderSchema,
  statusFrameSchema,
} from '../../shared/messages.ts';
import type { ConnectionEffect } from './connection-effects.ts';
import type { Conversation } from './conversation.ts';
import { fromWire } from './errors.ts';
import type { Heartbeat } from './heartbeat.ts';
import { checkedHeader } from './incoming.ts';

export interface ReceptionOptions {
  readonly conversation: Conversation;
  readonly heartbeat: Heartbeat;
  readonly emit: (effect: ConnectionEffect) => void;
  /** What a connection shows of itself may be another now. */
  readonly onPong: () => void;
}

/** What a worker says, once it is known to be there, and what becomes of it. */
export class Reception {
  readonly #conversation: Conversation;
  readonly #heartbeat: Heartbeat;
  readonly #emit: (effect: ConnectionEffect) => void;
  readonly #onPong: () => void;
  #complaint: TeletrainError | undefined;

  constructor({ conversation, heartbeat, emit, onPong }: ReceptionOptions) {
    this.#conversation = conversation;
    this.#heartbeat = heartbeat;
    this.#emit = emit;
    this.#onPong = onPong;
  }

  /** What the worker said of the connection as a whole: it may close next, and this is why. */
  get complaint(): TeletrainError | undefined {
    return this.#complaint;
  }

  /** A connection begins. */
  begin(): void {
    this.#complaint = undefined;
  }

  /** Before the welcome, and later the same: a ping, or why the worker closes. */
  takeOfAnyone(frame: Frame): void {
    if (frame.kind === 'ping') {
      this.#emit({ type: 'send', kind: 'pong', header: checkedHeader(pingSchema, frame) });
    } else if (frame.kind === 'error') {
      this.#complaint = fromWire(checkedHeader(errorSchema, frame).error);
    } else if (frame.kind === 'bye') {
      this.#complaint = fromWire(checkedHeader(byeSchema, frame).reason);
    }
  }

  /**
   * A message after the welcome.
   * @returns why the connection is of no more use, where it is not.
   * @throws TeletrainError `malformed-message`.
   */
  take(now: number, frame: Frame): string | undefined {
    switch (frame.kind) {
      case 'event':
        return this.#conversation.event(now, checkedHeader(eventFrameSchema, frame).event);
      case 'status': {
        const { status } = checkedHeader(statusFrameSchema, frame);
        if (this.#conversation.follows(status.run)) this.#emit({ type: 'status', status });
        return undefined;
      }
      case 'drawing': {
        const { drawing } = checkedHeader(drawingFrameSchema, frame);
        if (this.#conversation.follows(drawing.run)) this.#emit({ type: 'drawing', drawing });
        return undefined;
      }
      case 'control': {
        const { control } = checkedHeader(controlFrameSchema, frame);
        this.#emit({ type: 'control', control });
        return undefined;
      }
      case 'response': {
        const { id, result } = checkedHeader(responseSchema, frame);
        this.#conversation.answered(id, result, frame.payload);
        return undefined;
      }
      case 'results': {
        const header = checkedHeader(resultsHeaderSchema, frame);
        this.#emit({ type: 'results', header, payload: frame.payload });
        return undefined;
      }
      case 'error': {
        const { id, error } = checkedHeader(errorSchema, frame);
        if (id === undefined) this.#complained(now, fromWire(error));
        else this.#conversation.failed(id, fromWire(error));
        return undefined;
      }
      case 'pong':
        this.#heartbeat.answered(now, checkedHeader(pingSchema, frame).time);
        this.#onPong();
        return undefined;
      default:
        // Beside these a welcome said twice, a kind that only clients send, one of a newer version: nothing depends on it.
        this.takeOfAnyone(frame);
        return undefined;
    }
  }

  /** Said before the worker closes, or of a run whose journal took no more. */
  #complained(now: number, error: TeletrainError): void {
    this.#complaint = error;
    if (error.code === 'journal-failed') this.#conversation.askAnew(now);
  }
}
