import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import type { Duplex } from 'node:stream';
import { TeletrainError } from '../../shared/errors.ts';
import { releaseBytes } from '../../shared/release-bytes.ts';
import { type FromTensorEngine, tensorPipe } from '../channel.ts';
import { PipeReader, pipeHead } from '../tensor-pipe.ts';
import { socketPair } from './socket-pair.ts';

export interface TensorProcessListener {
  /** A line of its output, its last one, cut: what it does while it gets ready. */
  said(line: string): void;
  ready(engine: Extract<FromTensorEngine, { type: 'ready' }>): void;
  /**
   * It is done with the batches up to `taken`; the payload holds results, if there are any.
   * @param payload in memory of its own; what is there before it is the taker's to write to.
   * @param release gives that memory back; nobody looks at it any more.
   */
  results(taken: number, payload: Uint8Array, release: () => void): void;
  /** It is no more. */
  ended(reason: TeletrainError): void;
}

const keptWords = 2_000;
/** Before each payload: a frame's head and the header of `results` fit many times. */
const roomForHeader = 512;
/** As the training engine's: below the gateway's. */
const priority = 5;

/** A tensor engine as a child process: batches in, results out, both as bytes that are not looked into. */
export class TensorProcess {
  readonly #listener: TensorProcessListener;
  readonly #reader: PipeReader;
  #child: ChildProcess | undefined;
  #pipe: Duplex | undefined;
  #isPaused = false;
  #isKilled = false;
  #lastWords = '';
  #reason: TeletrainError | undefined;

  constructor(
    program: string,
    environment: Readonly<Record<string, string>>,
    listener: TensorProcessListener,
  ) {
    this.#listener = listener;
    this.#reader = new PipeReader(
      ({ number, payload, release }) => listener.results(number, payload, release),
      roomForHeader,
    );
    void this.#start(program, environment);
  }

  async #start(program: string, environment: Readonly<Record<string, string>>): Promise<void> {
    const pair = await socketPair({
      buffer: () => this.#reader.room,
      callback: (length) => {
        this.#reader.took(length);
        return !this.#isPaused;
      },
    }).catch(() => undefined);
    if (this.#isKilled) {
      pair?.ours.destroy();
      pair?.theirs.destroy();
      this.#ended('was ended before it was started');
      return;
    }
    const child = spawn(process.execPath, [...nodeOptions, program], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', pair?.theirs ?? 'pipe'],
    });
    this.#child = child;
    pair?.theirs.destroy();
    // Where the system gave no socket, descriptor 4 is a pipe of Node's, which goes both ways, too.
    const pipe = pair?.ours ?? (child.stdio[tensorPipe] as Duplex);
    this.#pipe = pipe;
    if (!pair) {
      pipe.on('data', (piece: Buffer) => {
        this.#reader.push(piece);
        releaseBytes(piece);
      });
    }
    if (this.#isPaused) pipe.pause();
    // What it says of its end follows by `close`.
    pipe.on('error', () => {});
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-keptWords);
      this.#listener.said(this.#lastLine);
    });
    child.on('message', (message: FromTensorEngine) => this.#heard(message));
    child.on('spawn', () => this.#lowerPriority(child));
    child.on('error', (cause) => this.#ended(`could not be started (${cause.message})`));
    child.on('close', (code, signal) => {
      pipe.destroy();
      this.#ended(signal ? `was killed by ${signal}` : `ended with code ${code}`);
    });
  }

  send(number: number, payload: Uint8Array, written: () => void): void {
    const pipe = this.#pipe;
    // Nobody was told yet that it is ready.
    if (pipe === undefined) return;
    pipe.cork();
    pipe.write(pipeHead(number, payload.byteLength));
    pipe.write(payload, written);
    pipe.uncork();
  }

  /** Nothing more is taken from it until `resume`, and it waits when the pipe is full. */
  pause(): void {
    this.#isPaused = true;
    this.#pipe?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#pipe?.resume();
  }

  kill(): void {
    this.#isKilled = true;
    this.#child?.kill('SIGKILL');
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

  #lowerPriority({ pid }: ChildProcess): void {
    try {
      if (pid !== undefined) setPriority(pid, priority);
    } catch {
      // Not allowed here, or it has ended already: it only would have been a courtesy.
    }
  }
}

/** The gateway's own options (type stripping, source maps) serve it too; a debugger's port does not. */
const nodeOptions = process.execArgv.filter((option) => !option.startsWith('--inspect'));
