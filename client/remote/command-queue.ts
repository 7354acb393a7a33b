import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { TeletrainError } from '../../shared/errors.ts';
import { encodeFrameOfParts } from '../../shared/frames.ts';
import { limits } from '../../shared/limits.ts';
import { alignedLength, encodeBatch } from '../../shared/tensors/batch.ts';
import type { Command, Failure } from '../../shared/tensors/commands.ts';
import { bytesOf, type StoredTypeName, type TensorValues } from '../../shared/tensors/data.ts';
import { IssuedCalls } from './issued-calls.ts';
import { type FromThread, shared, type ToThread } from './thread-messages.ts';

/** A batch goes out when it has so many commands, or so many raw bytes, and at each turn of the event loop. */
const batchCommands = 128;
const batchRawBytes = 32 * 1024;
/** Kernels under way at most: each is remembered with its stack. */
const callsUnderway = 16_384;

export type Answer = Extract<FromThread, { type: 'data' | 'described' | 'values' }>;

interface Waiting {
  /** Reads tell of a kernel that failed before them; a command on a model tells of itself alone. */
  readonly isRead: boolean;
  settle(answer: Answer | TeletrainError): void;
}

/**
 * Commands on their way to the worker, and answers on their way back. Nothing waits but `ask`, and
 * whoever is a whole window ahead of the worker.
 */
export class CommandQueue {
  readonly #port: MessagePort;
  readonly #numbers: Int32Array;
  readonly #session: string;
  readonly #calls = new IssuedCalls();
  readonly #waiting = new Map<number, Waiting>();
  #commands: Command[] = [];
  #raw: Uint8Array[] = [];
  #rawBytes = 0;
  #isScheduled = false;
  #issued = 0;
  #sent = 0;
  #taken = 0;
  /** Batches that the worker is not done with: their bytes, and the last command of each. */
  #underway: { readonly bytes: number; readonly lastCall: number }[] = [];
  #underwayBytes = 0;
  #answers = 0;
  /** A kernel failed for which nobody waited; the next answer tells it. */
  #untold: TeletrainError | undefined;
  #ended: TeletrainError | undefined;

  constructor(port: MessagePort, numbers: Int32Array, session: string) {
    this.#port = port;
    this.#numbers = numbers;
    this.#session = session;
    port.on('message', (message: FromThread) => this.#heard(message));
    // A thread that says why closes it after that; one that died closes it, too.
    port.on('close', () => this.#end(closed()));
    port.unref();
  }

  /** @throws TeletrainError why the session is no more. */
  push(command: Command): void {
    if (this.#ended) throw this.#ended;
    const last = this.#commands.at(-1);
    if (command[0] === 'dispose' && last?.[0] === 'dispose') {
      last[1].push(...command[1]);
      return;
    }
    this.#commands.push(command);
    this.#issued += 1;
    if (this.#commands.length >= batchCommands || this.#rawBytes >= batchRawBytes) this.flush();
    else this.#schedule();
  }

  /**
   * A kernel, with the line that asked for it: the caller of `asker`.
   * @param pass see `IssuedCalls.add`
   */
  run(
    command: Extract<Command, ['run', ...unknown[]]>,
    asker: (...args: never) => unknown,
    pass?: object,
  ): void {
    this.#calls.add(this.#issued, asker, pass);
    this.push(command);
  }

  /** The values may be changed by the caller as soon as this returns. */
  upload(
    handle: number,
    dtype: StoredTypeName,
    shape: readonly number[],
    values: TensorValues,
  ): void {
    const bytes = bytesOf(values);
    if (bytes.byteLength <= limits.chunkBytes) {
      const at = this.#rawBytes;
      // It is copied into the frame, which may be at once or later.
      const isLarge = at + bytes.byteLength >= batchRawBytes;
      this.#addRaw(isLarge ? bytes : Uint8Array.from(bytes));
      this.push(['upload', handle, dtype, [...shape], bytes.byteLength, at]);
      return;
    }
    this.push(['upload', handle, dtype, [...shape], bytes.byteLength, -1]);
    this.flush();
    for (let offset = 0; offset < bytes.byteLength; offset += limits.chunkBytes) {
      const part = bytes.subarray(offset, offset + limits.chunkBytes);
      this.#addRaw(part);
      this.push(['part', handle, offset, 0, part.byteLength]);
    }
  }

  /**
   * A command on a model, or one that reads what it made: it goes out with its batch, and its answer is waited for by whoever wants it.
   * Answers come in the commands' order.
   * @param asker called by the line that asks for it
   * @throws TeletrainError what failed; why the session ended.
   */
  async call(
    command: (id: number) => Command,
    asker: (...args: never) => unknown,
  ): Promise<Answer> {
    if (this.#ended) throw this.#ended;
    const { promise, resolve } = Promise.withResolvers<Answer | TeletrainError>();
    const id = this.#await(false, resolve);
    this.#calls.add(this.#issued, asker);
    this.push(command(id));
    return await this.#answered(promise);
  }

  /** Waits with the event loop running. @throws TeletrainError what failed; why the session ended. */
  async ask(command: (id: number) => Command): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer | TeletrainError>();
    this.#send(command, resolve);
    return await this.#answered(promise);
  }

  /** Waits with this thread asleep. @throws TeletrainError as `ask`. */
  askSync(command: (id: number) => Command): Answer {
    let answer: Answer | TeletrainError | undefined;
    this.#send(command, (given) => {
      answer = given;
    });
    this.#sleepUntil(() => answer !== undefined);
    if (answer === undefined) throw this.#ended ?? closed();
    if (answer instanceof TeletrainError) throw answer;
    return answer;
  }

  flush(): void {
    if (this.#commands.length === 0) return;
    const header = {
      session: this.#session,
      number: this.#sent + 1,
      got: Atomics.load(this.#numbers, shared.got),
    };
    const frame = encodeFrameOfParts('commands', header, encodeBatch(this.#commands, this.#raw));
    this.#commands = [];
    this.#raw = [];
    this.#rawBytes = 0;
    this.#waitForWindow(frame.byteLength);
    this.#sent += 1;
    this.#underway.push({ bytes: frame.byteLength, lastCall: this.#issued - 1 });
    this.#underwayBytes += frame.byteLength;
    // A frame is never from Node's pool, so its buffer is its own.
    const buffer = frame.buffer as ArrayBuffer;
    const message: ToThread = { type: 'commands', number: this.#sent, frame: buffer };
    this.#port.postMessage(message, [buffer]);
  }

  /** Frees everything on the worker. */
  close(): void {
    if (this.#ended) return;
    this.#end(closedByProgram());
    const message: ToThread = { type: 'close' };
    this.#port.postMessage(message);
  }

  /** Waits with this thread asleep until the other one is no more, and no longer than `limitMs`. */
  sleepUntilGone(limitMs: number): void {
    const until = performance.now() + limitMs;
    for (;;) {
      const told = Atomics.load(this.#numbers, shared.told);
      if (Atomics.load(this.#numbers, shared.gone) === 1) return;
      const leftMs = until - performance.now();
      if (leftMs <= 0) return;
      Atomics.wait(this.#numbers, shared.told, told, leftMs);
    }
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  #send(command: (id: number) => Command, settle: Waiting['settle']): void {
    if (this.#ended) throw this.#ended;
    this.push(command(this.#await(true, settle)));
    this.flush();
  }

  #await(isRead: boolean, settle: Waiting['settle']): number {
    this.#answers += 1;
    this.#waiting.set(this.#answers, { isRead, settle });
    return this.#answers;
  }

  async #answered(promise: Promise<Answer | TeletrainError>): Promise<Answer> {
    // Whoever waits keeps the program alive.
    this.#port.ref();
    const answer = await promise;
    if (this.#waiting.size === 0) this.#port.unref();
    if (answer instanceof TeletrainError) throw answer;
    return answer;
  }

  #addRaw(bytes: Uint8Array): void {
    this.#raw.push(bytes);
    this.#rawBytes += alignedLength(bytes.byteLength);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#ended) return;
      try {
        this.flush();
      } catch (error) {
        // Nobody could catch it here; the program's next call throws it.
        if (error !== this.#ended) throw error;
      }
    });
  }

  #waitForWindow(bytes: number): void {
    const hasRoom = () => {
      this.#noteTaken();
      return (
        this.#underwayBytes + bytes <= limits.tensorWindowBytes && this.#calls.size < callsUnderway
      );
    };
    if (this.#underwayBytes > 0 && !hasRoom()) {
      this.#sleepUntil(() => this.#underwayBytes === 0 || hasRoom());
    }
    if (this.#ended) throw this.#ended;
  }

  #sleepUntil(isDone: () => boolean): void {
    for (;;) {
      const told = Atomics.load(this.#numbers, shared.told);
      this.#drain();
      if (isDone() || this.#ended) return;
      if (Atomics.load(this.#numbers, shared.gone) === 1) this.#end(closed());
      else Atomics.wait(this.#numbers, shared.told, told);
    }
  }

  #drain(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#heard(received.message);
    }
  }

  /** What the worker is done with need not be remembered, once it told what failed of it. */
  #noteTaken(): void {
    const taken = Atomics.load(this.#numbers, shared.taken);
    if (taken === this.#taken) return;
    this.#drain();
    const done = this.#underway.splice(0, taken - this.#taken);
    this.#taken = taken;
    for (const { bytes } of done) this.#underwayBytes -= bytes;
    const last = done.at(-1);
    if (last) this.#calls.forget(last.lastCall);
  }

  #heard(message: FromThread): void {
    switch (message.type) {
      case 'data':
      case 'described':
      case 'values':
        this.#answer(message.id, message);
        return;
      case 'failed': {
        const error = this.#errorOf(message.failure);
        if (message.id === 0) this.#untold ??= error;
        else this.#answer(message.id, error);
        return;
      }
      case 'ended': {
        const { code, message: what, hint } = message.error;
        this.#end(new TeletrainError(code, what, { hint }));
        return;
      }
      default:
        return;
    }
  }

  #takeUntold(): TeletrainError | undefined {
    const untold = this.#untold;
    this.#untold = undefined;
    return untold;
  }

  #answer(id: number, answer: Answer | TeletrainError): void {
    const untold = this.#waiting.get(id)?.isRead ? this.#takeUntold() : undefined;
    this.#settle(id, untold ?? answer);
  }

  #settle(id: number, answer: Answer | TeletrainError): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.settle(answer);
  }

  #errorOf({ code, message, hint, call }: Failure): TeletrainError {
    const error = new TeletrainError(code, message, { hint });
    const stack = this.#calls.stackOf(call);
    if (stack !== undefined) error.stack = `${error.name}: ${message}\n${stack}`;
    return error;
  }

  #end(error: TeletrainError): void {
    if (this.#ended) return;
    this.#ended = error;
    for (const id of [...this.#waiting.keys()]) this.#settle(id, error);
  }
}

const closed = (): TeletrainError =>
  new TeletrainError('tensor-session-closed', 'The connection to the worker was closed.', {
    hint: 'Connect again.',
  });

const closedByProgram = (): TeletrainError =>
  new TeletrainError(
    'tensor-session-closed',
    'The session was closed, and its tensors and models are no more.',
    { hint: 'Read or save what is to be kept before close(); connect again for a new session.' },
  );
