import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { TeletrainError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { encodeBatch } from '../../shared/tensors/batch.ts';
import { ResultWriter } from '../../worker/engine/tensors/result-writer.ts';
import { TensorSession } from '../../worker/engine/tensors/tensor-session.ts';
import type { TensorProcessListener } from '../../worker/gateway/tensor-process.ts';
import type { BatchTaker } from '../../worker/gateway/tensor-session.ts';
import type { Chance } from './chance.ts';
import type { Program } from './machine.ts';
import { report } from './simulated-engine.ts';

// Without a word about faster backends.
tf.enableProdMode();
await tf.setBackend('cpu');

export interface TensorHabits {
  /** Bytes that a session may hold. */
  readonly quotaBytes: number;
  /** The longest that a batch takes. */
  readonly batchMs: number;
  /** Values of each tensor. */
  readonly values: number;
}

interface Given {
  readonly number: number;
  readonly payload: Uint8Array;
  readonly written: () => void;
}

interface Told {
  readonly taken: number;
  readonly payload: Uint8Array;
  readonly written: () => void;
}

/** Before each payload, as a pipe's reader leaves it for a frame's head. */
const roomBefore = 512;
/** Not all of it is read at once: some 1 GB/s. */
const pipeMs = (bytes: number): number => 0.05 + bytes / 1e6;
/** As many names as a program of the simulation ever gives. */
const handles = Array.from({ length: 4_000 }, (_, handle) => handle);

/**
 * The process of a tensor session: its commands are done by the real session, on tfjs' own backend, in
 * the gateway's program, whose end is its own. Pipes and the time that kernels take are simulated.
 */
export class SimulatedTensorEngine implements BatchTaker {
  readonly #program: Program;
  readonly #chance: Chance;
  readonly #habits: TensorHabits;
  readonly #listener: TensorProcessListener;
  readonly #violate: (what: string) => void;
  readonly #session: TensorSession;
  readonly #results: ResultWriter;
  /** In the gateway's memory, and in the engine's. */
  readonly #given: Given[] = [];
  readonly #read: { readonly number: number; readonly payload: Uint8Array }[] = [];
  readonly #outgoing: Told[] = [];
  #givenNumber = 0;
  #undoneBytes = 0;
  #outgoingBytes = 0;
  #taken = 0;
  #isWriting = false;
  #isWorking = false;
  #isTelling = false;
  #isPaused = false;
  #hasEnded = false;

  constructor(
    program: Program,
    chance: Chance,
    habits: TensorHabits,
    listener: TensorProcessListener,
    violate: (what: string) => void,
  ) {
    this.#program = program;
    this.#chance = chance;
    this.#habits = habits;
    this.#listener = listener;
    this.#violate = violate;
    const unsentBytes = () => this.#outgoingBytes;
    this.#results = new ResultWriter({
      send: (parts, written) => this.#tell(Buffer.concat(parts), written),
      get unsentBytes() {
        return unsentBytes();
      },
    });
    const { quotaBytes: bytes } = habits;
    this.#session = new TensorSession({ bytes, handles: handles.length }, this.#results);
    // One in a hundred says nothing, ever.
    if (chance.happens(0.01)) return;
    program.happen(chance.spread(50, 3_000), () => {
      if (!this.#hasEnded) listener.ready({ type: 'ready', report, kernels: ['Add'], bytes });
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  send(number: number, payload: Uint8Array, written: () => void): void {
    this.#givenNumber += 1;
    if (number !== this.#givenNumber) {
      this.#violate(`a tensor engine was given batch ${number} as its batch ${this.#givenNumber}`);
    }
    this.#undoneBytes += payload.byteLength;
    if (this.#undoneBytes > limits.tensorWindowBytes + limits.frameBytes) {
      this.#violate(`${this.#undoneBytes} bytes of batches wait for a tensor engine`);
    }
    this.#given.push({ number, payload, written });
    this.#write();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
  }

  kill(): void {
    this.end('was killed by SIGKILL');
  }

  /** The process ends; the gateway hears of it. */
  end(how: string): void {
    if (this.#hasEnded) return;
    this.forget();
    this.#program.happen(1, () => {
      for (const { written } of this.#given.splice(0)) written();
      const error = new TeletrainError('tensor-engine-ended', `The engine ${how}.`, { hint: '' });
      this.#listener.ended(error);
    });
  }

  /** The process is no more, and neither are its tensors. */
  forget(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const [head = new Uint8Array(0), list = new Uint8Array(0)] = encodeBatch([
      ['dispose', handles],
    ]);
    void this.#session.take(Buffer.concat([head, list]));
  }

  /** From the gateway's memory into the pipe, and out of it. */
  #write(): void {
    const next = this.#given[0];
    if (!next || this.#isWriting || this.#hasEnded) return;
    this.#isWriting = true;
    this.#program.happen(pipeMs(next.payload.byteLength), () => {
      this.#isWriting = false;
      if (this.#hasEnded) return;
      this.#given.shift();
      const payload = new Uint8Array(next.payload);
      next.written();
      this.#read.push({ number: next.number, payload });
      this.#work();
      this.#write();
    });
  }

  #work(): void {
    const next = this.#read[0];
    if (!next || this.#isWorking || this.#hasEnded) return;
    this.#isWorking = true;
    this.#program.happen(this.#chance.spread(0.1, this.#habits.batchMs), () => {
      if (this.#hasEnded) return;
      const bytes = next.payload.byteLength;
      this.#session.take(next.payload).then(
        () => {
          this.#read.shift();
          this.#undoneBytes -= bytes;
          this.#results.inOrder(() => {
            this.#taken = next.number;
            if (!this.#results.flush()) this.#tell(new Uint8Array(0));
          });
          this.#isWorking = false;
          this.#work();
        },
        (error: unknown) => {
          if (!(error instanceof TeletrainError)) throw error;
          this.forget();
          this.#program.happen(1, () => this.#listener.ended(error));
        },
      );
    });
  }

  #tell(payload: Uint8Array, written = () => {}): void {
    if (this.#hasEnded) return;
    this.#outgoing.push({ taken: this.#taken, payload, written });
    this.#outgoingBytes += payload.byteLength;
    this.#deliver();
  }

  #deliver(): void {
    const next = this.#outgoing[0];
    if (!next || this.#isTelling || this.#isPaused || this.#hasEnded) return;
    this.#isTelling = true;
    this.#program.happen(pipeMs(next.payload.byteLength), () => {
      this.#isTelling = false;
      if (this.#hasEnded || this.#isPaused) return;
      this.#outgoing.shift();
      this.#outgoingBytes -= next.payload.byteLength;
      const { length } = next.payload;
      const memory = new Uint8Array(roomBefore + length);
      memory.set(next.payload, roomBefore);
      const release = () => memory.buffer.transfer(0);
      this.#listener.results(next.taken, memory.subarray(roomBefore), release);
      next.written();
      this.#deliver();
    });
  }
}
