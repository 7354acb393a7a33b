import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import { type WorkerLock, workerLockName, workerLockSchema } from '../../shared/worker-lock.ts';
import { isSystemError, writeFileDurably } from './durable-file.ts';

/** Another worker has this home; `lock` says where it is. */
export class WorkerRunningError extends TeletrainError {
  override readonly name = 'WorkerRunningError';
  readonly lock: WorkerLock;

  constructor(lock: WorkerLock) {
    super(
      'worker-running',
      `A worker (process ${lock.pid}) already serves this home${lock.url ? ` at ${lock.url}` : ''}.`,
      {
        hint: 'Use that one, stop it with "teletrain workers stop", or give --home another folder.',
      },
    );
    this.lock = lock;
  }
}

/** One worker a home: held from the start of the process to its end, by a file. */
export class HeldLock {
  readonly #path: string;
  #lock: WorkerLock;

  private constructor(path: string, lock: WorkerLock) {
    this.#path = path;
    this.#lock = lock;
  }

  /** Takes a lock over whose process is no more. @throws WorkerRunningError. */
  static async take(
    home: string,
    worker: { name: string; version: string; startedAt: number },
  ): Promise<HeldLock> {
    const path = join(home, workerLockName);
    const processStart = await startOf(process.pid);
    const lock: WorkerLock = {
      format: 1,
      pid: process.pid,
      ...worker,
      ...(processStart ? { processStart } : {}),
    };
    const beside = `${path}.${process.pid}.new`;
    for (;;) {
      try {
        // Written beside and linked: nobody ever reads a lock that is only begun.
        await writeFile(beside, JSON.stringify(lock), { mode: 0o600 });
        await link(beside, path);
        return new HeldLock(path, lock);
      } catch (error) {
        if (!isSystemError(error, 'EEXIST')) throw error;
      } finally {
        await rm(beside, { force: true });
      }
      const holder = await readLock(path);
      if (holder && (await isAlive(holder))) throw new WorkerRunningError(holder);
      await rm(path, { force: true });
    }
  }

  /** Says where the worker listens. */
  async announce(url: string): Promise<void> {
    this.#lock = { ...this.#lock, url };
    await writeFileDurably(this.#path, JSON.stringify(this.#lock));
  }

  async release(): Promise<void> {
    const holder = await readLock(this.#path);
    if (holder?.pid === this.#lock.pid && holder.startedAt === this.#lock.startedAt) {
      await rm(this.#path, { force: true });
    }
  }
}

async function readLock(path: string): Promise<WorkerLock | undefined> {
  try {
    return workerLockSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // Gone, or not a lock of ours.
    return undefined;
  }
}

async function isAlive(holder: WorkerLock): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (!isSystemError(error, 'EPERM')) return false;
  }
  const start = await startOf(holder.pid);
  if (start === 'ended') return false;
  return start === undefined || holder.processStart === undefined || start === holder.processStart;
}

/** When a process started, in the kernel's own count since boot (Linux), or `ended` for one that only waits to be reaped; undefined elsewhere. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The command's name stands in brackets and may hold anything; the state follows, and 19 fields later the start.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' ? 'ended' : fields?.[19];
}
