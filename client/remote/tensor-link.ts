import { totalmem } from 'node:os';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { encodeFrame } from '../../shared/frames.ts';
import { limits } from '../../shared/limits.ts';
import type { ResultOf, ResultsHeader } from '../../shared/messages.ts';
import { releaseBytes } from '../../shared/release-bytes.ts';
import { decodeBatch, malformed, rawPart } from '../../shared/tensors/batch.ts';
import { parseResult, type Result } from '../../shared/tensors/commands.ts';
import { fromWire, workerLost } from '../session/errors.ts';
import type { WorkerLink } from '../session/worker-link.ts';
import type { FromThread } from './thread-messages.ts';

export interface TensorLinkListener {
  /** With the message, whose bytes may be given away. */
  result(message: Extract<FromThread, { type: 'data' | 'described' | 'values' | 'failed' }>): void;
  /** The worker is done with batches up to `taken`; results up to frame `got` were told. */
  progress(taken: number, got: number): void;
  ended(error: TeletrainError): void;
}

/** A frame that the worker is not done with. */
interface Unconfirmed {
  readonly number: number;
  readonly frame: Uint8Array;
  /** How many sockets have not written it yet: after a cut it is sent again. */
  unwritten: number;
}

interface Arriving {
  readonly bytes: Uint8Array<ArrayBuffer>;
  received: number;
}

/** After so many bytes of results without a word from us the worker is told that they arrived. */
const confirmBytes = limits.tensorWindowBytes / 4;

/**
 * The client's end of a tensor session: keeps what was sent until the worker is done with it, sends
 * it again after a cut, and takes results once each. How much is under way, the caller bounds.
 */
export class TensorLink {
  readonly #link: WorkerLink;
  readonly #session: string;
  readonly #listener: TensorLinkListener;
  readonly #clock: Clock;
  readonly #arriving = new Map<number, Arriving>();
  #unconfirmed: Unconfirmed[] = [];
  #unsentAt = 0;
  #taken = 0;
  #got = 0;
  #unconfirmedResults = 0;
  #isOpen = false;
  #isAsking = false;
  #wasOpened = false;
  #hasEnded = false;
  /** Of the worker process that holds the session. */
  #epoch: string | undefined;
  /** Calls off the end of a session whose worker is missing. */
  #found: (() => void) | undefined;

  constructor(
    link: WorkerLink,
    session: string,
    listener: TensorLinkListener,
    clock: Clock = systemClock,
  ) {
    this.#clock = clock;
    this.#link = link;
    this.#session = session;
    this.#listener = listener;
    link.takeResults({
      results: (header, payload) => this.#results(header, payload),
      drained: () => this.#pump(),
    });
  }

  /** @throws TeletrainError what keeps the worker from it. */
  async open(patienceMs: number): Promise<ResultOf<'tensor.open'> & { hasModels: boolean }> {
    const welcome = await this.#link.connected({ patienceMs });
    if (!welcome.capabilities.includes('tensors')) {
      throw new TeletrainError(
        'no-tensors',
        `The worker runs teletrain ${welcome.worker.version}, which takes no tensor commands.`,
        { hint: 'Update the worker.' },
      );
    }
    const opened = await this.#ask(patienceMs);
    this.#link.onState((state) => {
      if (state.kind === 'connected') void this.#resume(patienceMs);
      else this.#miss(patienceMs);
      if (state.kind === 'refused') {
        this.#end(new TeletrainError(state.code, state.message, { hint: state.hint }));
      }
    });
    return { ...opened, hasModels: welcome.capabilities.includes('models') };
  }

  /** A whole frame of commands, number after number. */
  send(number: number, frame: Uint8Array): void {
    this.#unconfirmed.push({ number, frame, unwritten: 0 });
    this.#pump();
  }

  async close(): Promise<void> {
    this.#hasEnded = true;
    this.#found?.();
    if (this.#isOpen) {
      await this.#link
        .request('tensor.close', { session: this.#session }, { patienceMs: 1_000 })
        .catch(() => {});
    }
    this.#link.close();
  }

  async #ask(patienceMs: number): Promise<ResultOf<'tensor.open'>> {
    this.#isAsking = true;
    try {
      const params = { session: this.#session, resume: this.#wasOpened, got: this.#got };
      const { result } = await this.#link.request('tensor.open', params, { patienceMs });
      this.#wasOpened = true;
      this.#isOpen = true;
      this.#epoch ??= this.#link.welcome?.worker.epoch;
      // What the worker received before the cut need not be sent again.
      this.#unsentAt = this.#unconfirmed.filter(({ number }) => number <= result.received).length;
      this.#pump();
      return result;
    } finally {
      this.#isAsking = false;
    }
  }

  /** The connection is gone: it is waited for, and whoever sleeps until a value comes is told in the end. */
  #miss(patienceMs: number): void {
    this.#isOpen = false;
    if (this.#hasEnded) return;
    this.#found ??= this.#clock.after(patienceMs, () => {
      const { state } = this.#link;
      this.#end(workerLost(state.kind === 'waiting' ? state.reason : 'it does not answer'));
    });
  }

  async #resume(patienceMs: number): Promise<void> {
    this.#found?.();
    this.#found = undefined;

    // A request that was cut off is sent again by the link itself.
    if (this.#isOpen || this.#isAsking || this.#hasEnded) return;
    try {
      await this.#ask(patienceMs);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      const isAnother = this.#link.welcome?.worker.epoch !== this.#epoch;
      const isGone = error.code === 'unknown-tensor-session';
      this.#end(isGone && isAnother ? workerRestarted() : error);
    }
  }

  #pump(): void {
    if (!this.#isOpen) return;
    for (;;) {
      const next = this.#unconfirmed[this.#unsentAt];
      if (next === undefined) return;
      const written = (): void => {
        next.unwritten -= 1;
      };
      if (!this.#link.sendCommands(next.frame, written)) return;
      next.unwritten += 1;
      this.#unsentAt += 1;
    }
  }

  #results({ session, number, got, ended }: ResultsHeader, payload: Uint8Array): void {
    if (session !== this.#session || this.#hasEnded) return;
    if (ended) {
      this.#end(fromWire(ended));
      return;
    }
    // A frame that was had comes again after a cut.
    if (number === this.#got + 1) {
      this.#got = number;
      this.#take(payload);
    }
    this.#confirm(got);
    this.#listener.progress(this.#taken, this.#got);
  }

  #take(payload: Uint8Array): void {
    try {
      const { list, raw } = decodeBatch(payload);
      for (const entry of list) this.#result(parseResult(entry), raw);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      this.#end(error);
      return;
    }
    this.#unconfirmedResults += payload.byteLength;
    if (this.#unconfirmedResults < confirmBytes) return;
    this.#unconfirmedResults = 0;
    const header = { session: this.#session, number: 0, got: this.#got };
    this.#link.sendConfirmation(encodeFrame('commands', header));
  }

  #result(result: Result, raw: Uint8Array): void {
    const [type, id] = result;
    if (type === 'described') this.#listener.result({ type, id, outputs: result[2] });
    else if (type === 'values') this.#listener.result({ type, id, values: result[2] });
    else if (type === 'failed') this.#listener.result({ type, id, failure: result[2] });
    else {
      const [, , dtype, shape, byteLength, offset, at, length] = result;
      const arriving = this.#arriving.get(id) ?? { bytes: roomFor(byteLength), received: 0 };
      if (offset !== arriving.received || byteLength !== arriving.bytes.length) {
        throw malformed(`a part of an answer at ${offset} of ${byteLength} bytes is out of order`);
      }
      arriving.bytes.set(rawPart(raw, at, length), offset);
      arriving.received += length;
      if (arriving.received < byteLength) {
        this.#arriving.set(id, arriving);
        return;
      }
      this.#arriving.delete(id);
      this.#listener.result({ type, id, dtype, shape, bytes: arriving.bytes.buffer });
    }
  }

  #confirm(got: number): void {
    if (got <= this.#taken) return;
    const count = got - this.#taken;
    this.#taken = got;
    for (const { frame, unwritten } of this.#unconfirmed.splice(0, count)) {
      if (unwritten === 0) releaseBytes(frame);
    }
    this.#unsentAt = Math.max(0, this.#unsentAt - count);
  }

  #end(error: TeletrainError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#isOpen = false;
    this.#found?.();
    this.#listener.ended(error);
    this.#link.close();
  }
}

function workerRestarted(): TeletrainError {
  return new TeletrainError(
    'worker-restarted',
    'The worker was started anew, and the tensors and models of this session are lost.',
    {
      hint: 'Connect again, load what was saved and go on from there; its output tells why it ended.',
    },
  );
}

/**
 * A worker says how much will come. The system gives memory as it is written to, so what was only
 * announced takes none.
 * @throws TeletrainError `malformed-batch` for more than this machine has.
 */
function roomFor(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    if (bytes <= totalmem()) return new Uint8Array(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw malformed(`an answer of ${bytes} bytes is more than this machine has room for`);
}
