import { EventEmitter } from 'node:events';
import { decodeFrame } from '../../../shared/frames.ts';
import {
  byeSchema,
  controlFrameSchema,
  drawingFrameSchema,
  errorSchema,
  eventFrameSchema,
  type FrameKind,
  pingSchema,
  responseSchema,
  resultsHeaderSchema,
  statusFrameSchema,
  type WireError,
  welcomeSchema,
} from '../../../shared/messages.ts';
import type { MessageSocket } from '../../../worker/gateway/message-socket.ts';
import { requireCloseCode, requireReason } from '../target.ts';

const schemas = {
  welcome: welcomeSchema,
  response: responseSchema,
  error: errorSchema,
  event: eventFrameSchema,
  status: statusFrameSchema,
  control: controlFrameSchema,
  ping: pingSchema,
  pong: pingSchema,
  bye: byeSchema,
  drawing: drawingFrameSchema,
  results: resultsHeaderSchema,
} as const;

/** A socket without a network: what the worker says on it must be what PROTOCOL.md has it say. */
export class FuzzedSocket extends EventEmitter implements MessageSocket {
  readonly OPEN = 1;
  readonly CLOSED = 3;
  readonly bufferedAmount = 0;
  /** What was said: kinds, and the codes of errors. */
  readonly said: string[] = [];
  /** What it should not have said. Kept, since whoever sends may catch what is thrown. */
  readonly faults: string[] = [];
  #state = 1;

  get readyState(): number {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#state === this.OPEN;
  }

  /** How it ended, or else the last thing that was said. */
  get outcome(): string {
    return this.said.findLast((word) => word.startsWith('closed')) ?? this.said.at(-1) ?? 'silence';
  }

  arrive(message: Uint8Array): void {
    this.emit('message', Buffer.from(message), true);
  }

  leave(): void {
    this.#end();
  }

  send(message: Uint8Array, sent: () => void): void {
    this.#note(() => this.#check(message));
    queueMicrotask(sent);
  }

  close(code: number, reason: string): void {
    this.#note(() => requireCloseCode(code));
    // A close frame has room for 123 bytes.
    if (Buffer.byteLength(reason) > 123) this.faults.push('the reason of a close is too long');
    this.said.push(`closed ${code} ${reason}`);
    this.#end();
  }

  terminate(): void {
    this.#end();
  }

  pause(): void {}
  resume(): void {}

  #note(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.faults.push(String(error));
    }
  }

  #check(message: Uint8Array): void {
    const { kind, header } = decodeFrame(message);
    if (!isWorkers(kind)) throw new Error(`a worker said ${kind}`);
    const parsed = schemas[kind].safeParse(header);
    if (!parsed.success) {
      throw new Error(`the worker sent a wrong ${kind}: ${parsed.error.issues[0]?.message}`);
    }
    const reasons: (WireError | undefined)[] = [];
    if (kind === 'error') reasons.push(errorSchema.parse(header).error);
    if (kind === 'results') reasons.push(resultsHeaderSchema.parse(header).ended);
    const codes = reasons.flatMap((reason) => (reason ? [reason] : []));
    for (const reason of codes) {
      requireReason(reason);
      if (reason.code === 'internal') throw new Error(`the worker failed: ${reason.message}`);
    }
    this.said.push(codes[0]?.code ?? kind);
  }

  #end(): void {
    if (this.#state === this.CLOSED) return;
    this.#state = this.CLOSED;
    queueMicrotask(() => this.emit('close'));
  }
}

const isWorkers = (kind: FrameKind | 'unknown'): kind is keyof typeof schemas =>
  Object.hasOwn(schemas, kind);
