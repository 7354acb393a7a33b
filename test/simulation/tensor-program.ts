import { isDeepStrictEqual } from 'node:util';
import { TensorLink, type TensorLinkListener } from '../../client/remote/tensor-link.ts';
import { clientFolders } from '../../client/session/folders.ts';
import { LocalWorker } from '../../client/session/local-worker.ts';
import type { OpenSocket } from '../../client/session/socket.ts';
import { WorkerLinks } from '../../client/session/worker-links.ts';
import { PairedWorkers } from '../../client/session/workers.ts';
import type { TeletrainError } from '../../shared/errors.ts';
import { encodeFrameOfParts } from '../../shared/frames.ts';
import { limits } from '../../shared/limits.ts';
import { alignedLength, encodeBatch } from '../../shared/tensors/batch.ts';
import type { Command } from '../../shared/tensors/commands.ts';
import { Chance } from './chance.ts';
import { Computed, type Expected } from './computed.ts';
import type { Program } from './machine.ts';

/** How long the worker may be out of reach before the session is given up. */
const patienceMs = 60_000;
/** A batch goes out when it has so many raw bytes. */
const batchRawBytes = 32 * 1024;

/** What is known of the worker from outside, by which it is judged why a session ended. */
export interface WorkerFacts {
  /** The gateway's program that runs now. */
  readonly program: unknown;
  /** How many tensor engines crashed there. */
  readonly crashes: number;
}

export interface TensorProgramOptions {
  readonly program: Program;
  readonly home: string;
  readonly worker: string;
  readonly openSocket: OpenSocket;
  readonly facts: () => WorkerFacts;
  /** Simulated time, ms. */
  readonly now: () => number;
  readonly violate: (what: string) => void;
  /** Values of each tensor, and the bytes that the session may hold. */
  readonly values: number;
  readonly quotaBytes: number;
}

type Told = Parameters<TensorLinkListener['result']>[0];

/**
 * A person's program with tensors on a worker: the real client's end of a tensor session, as
 * connection-thread.ts puts it together. It knows of each command what must come of it, and looks
 * whether just that is told, once and in order.
 */
export class TensorProgram {
  readonly #options: TensorProgramOptions;
  readonly #links: WorkerLinks;
  readonly #session: string;
  readonly #computed: Computed;
  readonly #expected: Expected[] = [];
  #link: TensorLink | undefined;
  readonly #before: WorkerFacts;
  #isOpen = false;
  #heardAt: number;
  /** What was on its way while this slept is heard once it wakes. */
  #longestSilence = 0;
  #awaySince: number | undefined;
  #isClosing = false;
  #isSpoilt = false;
  #commands: Command[] = [];
  #raw: Uint8Array[] = [];
  #rawBytes = 0;
  #made = 0;
  #sent = 0;
  #taken = 0;
  #got = 0;
  /** Frames beyond the window, and the bytes of those within. */
  readonly #waiting: Uint8Array[] = [];
  readonly #underway: number[] = [];
  #ended: TeletrainError | undefined;
  #settled: (() => void)[] = [];

  constructor(options: TensorProgramOptions) {
    this.#options = options;
    const { program, home, openSocket, facts, now, values, quotaBytes } = options;
    const { system } = program;
    const environment = { TELETRAIN_HOME: home };
    const folders = clientFolders(environment);
    const { localWorker: folder, localWorkerHome } = folders;
    this.#session = system.random.bytes(12).toString('base64url');
    this.#before = facts();
    this.#heardAt = now();
    this.#computed = new Computed(values, quotaBytes);
    this.#links = new WorkerLinks({
      paired: new PairedWorkers(folders, system),
      local: new LocalWorker({ folder, home: localWorkerHome, environment, system }),
      system,
      openSocket: (url, listener, pin) =>
        openSocket(
          url,
          {
            ...listener,
            received: (message) => {
              this.#longestSilence = Math.max(this.#longestSilence, now() - this.#heardAt);
              this.#heardAt = now();
              return listener.received(message);
            },
          },
          pin,
        ),
    });
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined || this.#isClosing;
  }

  /** Its messages are spoilt on the way, and whatever comes of that is right. */
  spoil(): void {
    this.#isSpoilt = true;
  }

  /** @throws TeletrainError why there is no session. */
  async open(): Promise<void> {
    const { program, worker } = this.#options;
    const { clock } = program.system;
    try {
      const link = await this.#links.to(worker);
      link.onState(({ kind }) => {
        this.#awaySince = kind === 'connected' ? undefined : (this.#awaySince ?? clock.monotonic());
      });
      const tensors = new TensorLink(
        link,
        this.#session,
        {
          result: (told) => this.#result(told),
          progress: (taken, got) => this.#progress(taken, got),
          ended: (error) => this.#end(error),
        },
        clock,
      );
      await tensors.open(patienceMs);
      this.#link = tensors;
      this.#isOpen = true;
    } catch (error) {
      this.#links.close();
      throw error;
    }
  }

  /** Issues commands without waiting for any of them. */
  compute(count: number, salt: number): void {
    const chance = new Chance('compute', salt);
    for (let done = 0; done < count; done += 1) {
      const { commands, expected } = this.#computed.next(chance);
      for (const { command, raw } of commands) {
        this.#commands.push(command(this.#rawBytes));
        if (raw) {
          this.#raw.push(raw);
          this.#rawBytes += alignedLength(raw.byteLength);
        }
        const isFull = this.#rawBytes >= batchRawBytes;
        // A command may be of several batches, as an upload in parts is.
        if (isFull || chance.happens(0.2)) this.#flush();
      }
      this.#expected.push(...expected);
    }
    this.#flush();
  }

  /** Resolves when all that was issued is done and told, or never will be. */
  async settled(): Promise<void> {
    if (this.#isSettled) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#settled.push(resolve);
    await promise;
    if (this.#ended) throw this.#ended;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#look();
    await this.#link?.close();
    this.#links.close();
  }

  get #isSettled(): boolean {
    if (this.hasEnded) return true;
    return this.#taken === this.#made && this.#expected.length === 0;
  }

  #flush(): void {
    if (this.#commands.length === 0) return;
    this.#made += 1;
    const header = { session: this.#session, number: this.#made, got: this.#got };
    const batch = encodeBatch(this.#commands, this.#raw);
    this.#waiting.push(encodeFrameOfParts('commands', header, batch));
    this.#commands = [];
    this.#raw = [];
    this.#rawBytes = 0;
    this.#pump();
  }

  #pump(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (!next || this.hasEnded) return;
      const bytes = this.#underway.reduce((sum, length) => sum + length, 0);
      if (bytes > 0 && bytes + next.byteLength > limits.tensorWindowBytes) return;
      this.#waiting.shift();
      this.#underway.push(next.byteLength);
      this.#sent += 1;
      this.#link?.send(this.#sent, next);
    }
  }

  #progress(taken: number, got: number): void {
    if (taken < this.#taken || taken > this.#sent || got < this.#got) {
      this.#violate(`was told that ${taken} of ${this.#sent} batches are done, and ${got} results`);
    }
    this.#underway.splice(0, taken - this.#taken);
    this.#taken = taken;
    this.#got = got;
    this.#pump();
    this.#look();
  }

  #result(told: Told): void {
    const expected = this.#expected.shift();
    const plain =
      told.type === 'data' ? { ...told, bytes: Buffer.from(told.bytes) } : (told as Expected);
    if (!expected || !this.#isAsExpected(expected, plain)) {
      this.#violate(`was told ${short(plain)} where ${short(expected)} is true`);
    }
    this.#look();
  }

  /** What a failure says in words is not looked at. */
  #isAsExpected(expected: Expected, told: Expected): boolean {
    if (told.type !== 'failed') return isDeepStrictEqual(told, expected);
    const { code, call } = told.failure;
    // How much waits to be sent decides whether more may be read.
    if (expected.type === 'data') return told.id === expected.id && code === 'tensor-memory';
    if (expected.type !== 'failed' || expected.id !== told.id) return false;
    return expected.failure.code === code && expected.failure.call === call;
  }

  #look(): void {
    if (!this.#isSettled) return;
    for (const resolve of this.#settled.splice(0)) resolve();
  }

  #end(error: TeletrainError): void {
    this.#ended = error;
    if (!this.#mayEnd(error)) this.#violate(`was told that its session ended: ${error}`);
    this.#links.close();
    this.#look();
  }

  /** Whether a session ended for what really happened. */
  #mayEnd({ code }: TeletrainError): boolean {
    if (this.#isSpoilt || !this.#isOpen) return true;
    const { program, facts, now } = this.#options;
    const { program: gateway, crashes } = facts();
    const hasRestarted = gateway !== this.#before.program;
    const hasCrashed = crashes > this.#before.crashes;
    switch (code) {
      case 'worker-restarted':
        return hasRestarted;
      case 'tensor-engine-ended':
        return hasCrashed;
      case 'unknown-tensor-session':
        return (
          hasCrashed ||
          Math.max(this.#longestSilence, now() - this.#heardAt) >= limits.tensorLingerMs
        );
      case 'worker-lost':
        return (
          this.#awaySince !== undefined &&
          program.system.clock.monotonic() - this.#awaySince >= patienceMs - 1
        );
      default:
        return false;
    }
  }

  #violate(what: string): void {
    this.#options.violate(`a program with tensors ${what}`);
  }
}

const short = (thing: unknown): string => JSON.stringify(thing)?.slice(0, 200) ?? 'nothing';
