import { TeletrainError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import type { CommandsHeader, ResultOf, ResultsHeader } from '../../shared/messages.ts';
import type { FromTensorEngine } from '../channel.ts';

/** Where results go: a connection. */
export interface ResultsOutlet {
  readonly isOpen: boolean;
  /** Whether a payload of so many bytes would be sent at once. */
  hasRoom(payloadBytes: number): boolean;
  /**
   * @param sent if given, the payload is sent from where it is, the room before it in its memory is
   *   overwritten, and this is called when neither is looked at any more; never where it ends first.
   */
  sendResults(header: ResultsHeader, payload: Uint8Array, sent?: () => void): void;
}

/** The process behind a session, as far as the session needs it. */
export interface BatchTaker {
  /** @param written called when the payload is not looked at any more. */
  send(number: number, payload: Uint8Array, written: () => void): void;
  pause(): void;
  resume(): void;
  kill(): void;
}

/** A payload that the client did not confirm. */
interface Unconfirmed {
  readonly number: number;
  readonly payload: Uint8Array;
  readonly release: () => void;
  /** First it is sent from where it is; again, after a cut, as a copy: the old socket may be reading it. */
  state: 'whole' | 'leaving' | 'left' | 'unwanted';
}

/** Batches that the process is done with are told together where more are under way: so many of them, */
const batchesTold = 16;
/** or so many bytes. */
const bytesTold = limits.tensorWindowBytes / 16;

const nothing = new Uint8Array(0);

/**
 * A client's tensor session as the gateway sees it: batches of commands go to its process and
 * results come back, numbered both ways, so that nothing is lost or done twice when the connection
 * is cut and another one takes its place. Neither end may have more than a window of bytes under
 * way; a process that would is not read from.
 */
export class GatewayTensorSession {
  readonly id: string;
  readonly client: string;
  readonly #process: BatchTaker;
  readonly #ready = Promise.withResolvers<Extract<FromTensorEngine, { type: 'ready' }>>();
  #outlet: ResultsOutlet | undefined;
  #received = 0;
  /** Bytes of the batches that the process is not done with, by their numbers. */
  readonly #underway = new Map<number, number>();
  #underwayBytes = 0;
  #taken = 0;
  #takenTold = 0;
  #untoldBytes = 0;
  #sent = 0;
  /** Results that the client did not confirm; those from `#unsentAt` on were not sent. */
  #unconfirmed: Unconfirmed[] = [];
  #unsentAt = 0;
  #unconfirmedBytes = 0;
  #end: TeletrainError | undefined;

  constructor(id: string, client: string, process: BatchTaker) {
    this.id = id;
    this.client = client;
    this.#process = process;
    // Who asked may have gone before it failed.
    this.#ready.promise.catch(() => {});
  }

  get isAttached(): boolean {
    return this.#outlet !== undefined;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  isAttachedTo(outlet: ResultsOutlet): boolean {
    return this.#outlet === outlet;
  }

  /**
   * Results go to this connection from now on, those after number `got` first.
   * @throws TeletrainError why it ended.
   */
  async attach(outlet: ResultsOutlet, got: number): Promise<ResultOf<'tensor.open'>> {
    const { report, kernels, bytes } = await this.#ready.promise;
    this.#outlet = outlet;
    this.#confirm(got);
    this.#unsentAt = 0;
    this.#takenTold = 0;
    // What it is done with is said anew, at once.
    this.#untoldBytes = this.#taken > 0 ? bytesTold : 0;
    const { tensorHandles: handles } = limits;
    return { engine: report, kernels: [...kernels], received: this.#received, bytes, handles };
  }

  detach(outlet: ResultsOutlet): void {
    if (this.#outlet === outlet) this.#outlet = undefined;
  }

  /**
   * A frame from the client.
   * @param passedOn called when the payload is not looked at any more.
   * @throws TeletrainError `tensor-window`, `malformed-batch`: end it.
   */
  receive({ number, got }: CommandsHeader, payload: Uint8Array, passedOn = () => {}): void {
    this.#confirm(got);
    this.pump();
    // 0 only confirms; a number that was had comes again after a cut.
    if (number <= this.#received) return;
    if (number !== this.#received + 1) {
      throw new TeletrainError(
        'malformed-batch',
        `Batch ${number} of a tensor session came where ${this.#received + 1} was expected.`,
        { hint: 'Both ends must speak the teletrain protocol; see PROTOCOL.md.' },
      );
    }
    this.#received = number;
    this.#underway.set(number, payload.byteLength);
    this.#underwayBytes += payload.byteLength;
    if (this.#underwayBytes > limits.tensorWindowBytes + limits.frameBytes) {
      throw new TeletrainError(
        'tensor-window',
        `More than ${limits.tensorWindowBytes} bytes of a tensor session were sent ahead.`,
        { hint: 'Wait until the worker confirms batches; see PROTOCOL.md.' },
      );
    }
    this.#process.send(number, payload, passedOn);
  }

  /** The process can work. */
  opened(engine: Extract<FromTensorEngine, { type: 'ready' }>): void {
    this.#ready.resolve(engine);
  }

  /** The process is done with the batches up to `taken`. */
  results(taken: number, payload: Uint8Array, release: () => void): void {
    for (let number = this.#taken + 1; number <= taken; number += 1) {
      const bytes = this.#underway.get(number) ?? 0;
      this.#underwayBytes -= bytes;
      this.#untoldBytes += bytes;
      this.#underway.delete(number);
    }
    this.#taken = taken;
    if (payload.byteLength > 0) {
      this.#sent += 1;
      this.#unconfirmed.push({ number: this.#sent, payload, release, state: 'whole' });
      this.#unconfirmedBytes += payload.byteLength;
      if (this.#unconfirmedBytes > limits.tensorWindowBytes) this.#process.pause();
    }
    this.pump();
  }

  /** Sends what there is while there is room. */
  pump(): void {
    for (;;) {
      const next = this.#unconfirmed[this.#unsentAt];
      if (next === undefined && !this.#mustTell) return;
      const payload = next?.payload ?? nothing;
      if (!this.#outlet?.hasRoom(payload.byteLength)) return;
      this.#takenTold = this.#taken;
      this.#untoldBytes = 0;
      const header = { session: this.id, number: next?.number ?? 0, got: this.#taken };
      if (next) this.#unsentAt += 1;
      if (next?.state === 'whole') {
        next.state = 'leaving';
        this.#outlet.sendResults(header, payload, () => {
          if (next.state === 'unwanted') next.release();
          else next.state = 'left';
        });
      } else this.#outlet.sendResults(header, payload);
    }
  }

  /** A message for each batch would cost both ends more than the batch where they are small. */
  get #mustTell(): boolean {
    const untold = this.#taken - this.#takenTold;
    if (untold === 0) return false;
    return this.#underway.size === 0 || untold >= batchesTold || this.#untoldBytes >= bytesTold;
  }

  /** Says why, and frees everything. */
  end(reason: TeletrainError): void {
    if (this.#end) return;
    this.#end = reason;
    this.#process.kill();
    this.#ready.reject(reason);
    this.#outlet?.sendResults(
      { session: this.id, number: 0, got: this.#taken, ended: reason.toJSON() },
      nothing,
    );
    this.#outlet = undefined;
    this.#unconfirmed = [];
  }

  #confirm(got: number): void {
    let confirmed = 0;
    for (const result of this.#unconfirmed) {
      if (result.number > got) break;
      confirmed += 1;
      this.#unconfirmedBytes -= result.payload.byteLength;
      if (result.state === 'leaving') result.state = 'unwanted';
      else result.release();
    }
    if (confirmed === 0) return;
    this.#unconfirmed.splice(0, confirmed);
    this.#unsentAt = Math.max(0, this.#unsentAt - confirmed);
    if (this.#unconfirmedBytes <= limits.tensorWindowBytes) this.#process.resume();
  }
}
