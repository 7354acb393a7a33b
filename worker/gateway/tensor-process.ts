import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import type { Duplex } from 'node:stream';
import { TeletrainError } from '../../shared/errors.ts';
import { releaseBytes } from '../../shared/release-bytes.ts';
import { type FromTensorEngine, tensorPipe } from '../channel.ts';
import { PipeReader, pipeHead } from '../tensor-pipe.ts';

export interface TensorProcessListener {
  /** A line of its output, its last one, cut: what it does while it gets ready. */
  said(line: string): void;
  ready(engine: Extract<FromTensorEngine, { type: 'ready' }>): void;
  /** It is done with the batches up to `taken`; the payload holds results, if there are any. */
  results(taken: number, payload: Uint8Array): void;
  /** It is no more. */
  ended(reason: TeletrainError): void;
}

const keptWords = 2_000;
/** As the training engine's: below the gateway's. */
const priority = 5;

/** A tensor engine as a child process: batches in, results out, both as bytes that are not looked into. */
export class TensorProcess {
  readonly #listener: TensorProcessListener;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  #lastWords = '';
  #reason: TeletrainError | undefined;

  constructor(
    program: string,
    environment: Readonly<Record<string, string>>,
    listener: TensorProcessListener,
  ) {
    this.#listener = listener;
    this.#child = spawn(process.execPath, [...nodeOptions, program], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
    });
    // Descriptor 4 was asked to be a pipe, which is a socket in both directions.
    this.#pipe = this.#child.stdio[tensorPipe] as Duplex;
    const reader = new PipeReader(({ number, payload }) => listener.results(number, payload));
    this.#pipe.on('data', (piece: Buffer) => {
      reader.push(piece);
      releaseBytes(piece);
    });
    // What it says of its end follows by `close`.
    this.#pipe.on('error', () => {});
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-keptWords);
      listener.said(this.#lastLine);
    });
    this.#child.on('message', (message: FromTensorEngine) => this.#heard(message));
    this.#child.on('spawn', () => this.#lowerPriority());
    this.#child.on('error', (cause) => this.#ended(`could not be started (${cause.message})`));
    this.#child.on('close', (code, signal) =>
      this.#ended(signal ? `was killed by ${signal}` : `ended with code ${code}`),
    );
  }

  send(number: number, payload: Uint8Array, written: () => void): void {
    this.#pipe.cork();
    this.#pipe.write(pipeHead(number, payload.byteLength));
    this.#pipe.write(payload, written);
    this.#pipe.uncork();
  }

  /** Nothing more is taken from it until `resume`, and it waits when the pipe is full. */
  pause(): void {
    this.#pipe.pause();
  }

  resume(): void {
    this.#pipe.resume();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #heard(message: FromTensorEngine): void {
    if (message.type === 'ready') this.#listener.ready(message);
    else {
      const { code, message: what, hint } = message.error;
      this.#reason = new TeletrainError(code, what, { hint });
      this.kill();
    }
  }

  get #lastLine(): string {
    return this.#lastWords.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  }

  #ended(how: string): void {
    const words = this.#lastLine;
    this.#listener.ended(
      this.#reason ??
        new TeletrainError(
          'tensor-engine-ended',
          `The engine of this tensor session ${how}${words ? ` (${words})` : ''}.`,
          {
            hint: 'Connect again; the tensors that it held are lost. Use smaller ones if it was killed for memory.',
          },
        ),
    );
  }

  #lowerPriority(): void {
    try {
      if (this.#child.pid !== undefined) setPriority(this.#child.pid, priority);
    } catch {
      // Not allowed here, or it has ended already: it only would have been a courtesy.
    }
  }
}

/** The gateway's own options (type stripping, source maps) serve it too; a debugger's port does not. */
const nodeOptions = process.execArgv.filter((option) => !option.startsWith('--inspect'));
