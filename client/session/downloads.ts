import { join } from 'node:path';
import { sleep } from '../../shared/clock.ts';
import type { TeletrainError } from '../../shared/errors.ts';
import type { System } from '../../shared/system.ts';
import { diskError } from './disk-errors.ts';
import { checkpointAtHome, downloadCheckpoint } from './download-checkpoint.ts';
import { cancelled } from './errors.ts';
import { FileLock } from './file-lock.ts';
import type { CheckpointView } from './types.ts';
import type { WorkerLink } from './worker-link.ts';

type Home = CheckpointView['home'];

export interface WantedCheckpoint {
  readonly id: string;
  readonly manifestSha256: string;
}

export interface DownloadsOptions {
  readonly run: string;
  /** `<run>/checkpoints`. */
  readonly folder: string;
  readonly link: () => Pick<WorkerLink, 'request'> | undefined;
  readonly onChange: (id: string, home: Home) => void;
  /** Nothing is on the list any more. */
  readonly onIdle: () => void;
  readonly system: System;
}

interface Wish {
  readonly checkpoint: WantedCheckpoint;
  readonly done: PromiseWithResolvers<string>;
}

/** What a worker answers for a checkpoint that it has rotated away. */
const goneCodes = new Set(['no-such-checkpoint', 'no-such-file']);
/** Reasons to stop for now: the checkpoint is asked for again when the worker is there again. */
const laterCodes = new Set(['worker-lost', 'connection-closed', 'cancelled', 'unauthorised']);
const otherProcessMs = 500;

/**
 * Brings the checkpoints of one run home, the newest first, one at a time. All that arrive are
 * kept: the worker's own copy may be gone tomorrow, and `teletrain clean` is how to make room.
 *
 * Where two programs follow one run, the one that holds the lock fetches and the other waits for
 * the folders to appear.
 */
export class CheckpointDownloads {
  readonly #options: DownloadsOptions;
  readonly #wishes = new Map<string, Wish>();
  readonly #closing = new AbortController();
  #working: Promise<void> | undefined;
  /** Of the checkpoint that arrives now. */
  #attempt = new AbortController();

  constructor(options: DownloadsOptions) {
    this.#options = options;
  }

  /** Puts a checkpoint on the list; resolves with its folder once it is home and verified. */
  want(checkpoint: WantedCheckpoint): Promise<string> {
    const earlier = this.#wishes.get(checkpoint.id);
    if (earlier?.checkpoint.manifestSha256 === checkpoint.manifestSha256) {
      return earlier.done.promise;
    }
    const done = Promise.withResolvers<string>();
    // Most are wanted by nobody but the run itself, whose view shows what became of them.
    done.promise.catch(() => {});
    this.#wishes.set(checkpoint.id, { checkpoint, done });
    this.#options.onChange(checkpoint.id, { state: 'waiting' });
    this.#working ??= this.#work();
    return done.promise;
  }

  /**
   * The worker that was asked will not be asked any more: what arrives now is put off until it is
   * wanted again.
   */
  interrupt(): void {
    this.#attempt.abort();
  }

  /** Resolves when nothing is on the list. */
  async idle(): Promise<void> {
    while (this.#working) await this.#working;
  }

  get isIdle(): boolean {
    return this.#working === undefined;
  }

  /** What arrived so far stays, and is where a later attempt goes on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.idle();
  }

  async #work(): Promise<void> {
    const { folder, system } = this.#options;
    try {
      await system.disk.mkdir(folder, { recursive: true, mode: 0o700 });
      while (this.#wishes.size > 0 && !this.#closing.signal.aborted) {
        await this.#resolveArrived();
        await using lock = await FileLock.tryTake(join(folder, 'downloads.lock'), system);
        if (lock) await this.#fetchAll();
        else await sleep(system.clock, otherProcessMs, this.#closing.signal);
      }
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        const told = diskError('The checkpoint', error);
        this.#failAll(told, { state: 'failed', ...told.toJSON() });
      }
    } finally {
      this.#working = undefined;
      if (this.#closing.signal.aborted)
        this.#failAll(cancelled('The download'), { state: 'absent' });
      this.#options.onIdle();
    }
  }

  async #resolveArrived(): Promise<void> {
    for (const wish of [...this.#wishes.values()]) {
      const { id, manifestSha256 } = wish.checkpoint;
      const { folder, system } = this.#options;
      const directory = await checkpointAtHome(folder, id, manifestSha256, system);
      if (directory) this.#arrived(wish, directory);
    }
  }

  async #fetchAll(): Promise<void> {
    for (;;) {
      // A step's number has a fixed length, so the last id is the newest checkpoint.
      const newest = [...this.#wishes.keys()].sort().at(-1);
      const wish = newest === undefined ? undefined : this.#wishes.get(newest);
      if (!wish || this.#closing.signal.aborted) return;
      try {
        this.#arrived(wish, await this.#fetch(wish.checkpoint));
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        await this.#failed(wish, diskError('The checkpoint', error));
      }
    }
  }

  async #fetch(checkpoint: WantedCheckpoint): Promise<string> {
    const { run, folder, link, onChange, system } = this.#options;
    const { id, manifestSha256 } = checkpoint;
    const here = await checkpointAtHome(folder, id, manifestSha256, system);
    if (here) return here;
    const startedAt = system.clock.monotonic();
    let resumedAt: number | undefined;
    this.#attempt = new AbortController();
    return downloadCheckpoint(
      folder,
      {
        run,
        checkpoint: checkpoint.id,
        manifestSha256: checkpoint.manifestSha256,
        read: async (file, offset, length, signal) => {
          const worker = link();
          if (!worker) throw cancelled('The download');
          const params = { run, checkpoint: checkpoint.id, file, offset, length };
          const answer = await worker.request('file.read', params, { signal });
          return { bytes: answer.payload, size: answer.result.size };
        },
      },
      (received) => {
        resumedAt ??= received;
        const seconds = (system.clock.monotonic() - startedAt) / 1000;
        const bytesPerSecond = seconds > 0 ? (received - resumedAt) / seconds : 0;
        onChange(checkpoint.id, { state: 'arriving', received, bytesPerSecond });
      },
      AbortSignal.any([this.#closing.signal, this.#attempt.signal]),
      system,
    );
  }

  #arrived(wish: Wish, directory: string): void {
    this.#drop(wish);
    this.#options.onChange(wish.checkpoint.id, { state: 'verified', directory });
    wish.done.resolve(directory);
  }

  async #failed(wish: Wish, error: TeletrainError): Promise<void> {
    this.#drop(wish);
    const { id } = wish.checkpoint;
    if (goneCodes.has(error.code)) {
      const { disk } = this.#options.system;
      await disk.rm(join(this.#options.folder, `${id}.partial`), { recursive: true, force: true });
      this.#options.onChange(id, { state: 'absent' });
    } else if (laterCodes.has(error.code)) {
      this.#options.onChange(id, { state: 'absent' });
    } else {
      this.#options.onChange(id, { state: 'failed', ...error.toJSON() });
    }
    wish.done.reject(error);
  }

  #failAll(error: TeletrainError, home: Home): void {
    for (const wish of [...this.#wishes.values()]) {
      this.#drop(wish);
      this.#options.onChange(wish.checkpoint.id, home);
      wish.done.reject(error);
    }
  }

  /** A newer wish for the same id stays. */
  #drop(wish: Wish): void {
    if (this.#wishes.get(wish.checkpoint.id) === wish) this.#wishes.delete(wish.checkpoint.id);
  }
}
