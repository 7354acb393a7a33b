import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelled } from './errors.ts';
import { hasCode } from './private-file.ts';

const heartbeatMs = 5_000;
/** A lock not touched for this long was left behind, whoever held it. */
const staleMs = 30_000;

/**
 * A lock file held by one process at a time. It names its holder, so that a lock left by a process
 * that was killed is taken over at once on the same machine, and after 30 s from another.
 */
export class FileLock implements AsyncDisposable {
  readonly #path: string;
  readonly #heartbeat: NodeJS.Timeout;

  private constructor(path: string) {
    this.#path = path;
    this.#heartbeat = setInterval(() => {
      const now = new Date();
      // A lock that is gone was taken over; its holder finds that out when it writes.
      utimes(path, now, now).catch(() => {});
    }, heartbeatMs).unref();
  }

  /** @returns undefined where another process holds it. */
  static async tryTake(path: string): Promise<FileLock | undefined> {
    // The second try is for after a stale lock was put away.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      try {
        await using file = await open(path, 'wx', 0o600);
        await file.writeFile(`${hostname()} ${process.pid}`);
        return new FileLock(path);
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
      }
      if (!(await putAwayStale(path))) return undefined;
    }
    return undefined;
  }

  /** Waits for as long as another process holds it. @throws TeletrainError `cancelled`. */
  static async take(path: string, signal?: AbortSignal): Promise<FileLock> {
    for (;;) {
      const lock = await FileLock.tryTake(path);
      if (lock) return lock;
      if (signal?.aborted) throw cancelled('Waiting for another program', signal);
      await sleep(10 + Math.random() * 20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat);
    await rm(this.#path, { force: true });
  }
}

/** @returns true when the way is free to try again. */
async function putAwayStale(path: string): Promise<boolean> {
  const holder = await readFile(path, 'utf8').catch(() => undefined);
  if (holder === undefined) return true;
  if (!(await isStale(path, holder))) return false;
  const aside = `${path}.${process.pid}.stale`;
  try {
    await rename(path, aside);
  } catch {
    return true;
  }
  // Between the look and the rename somebody else may have put it away and taken it anew.
  if ((await readFile(aside, 'utf8')) !== holder) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
  return true;
}

async function isStale(path: string, holder: string): Promise<boolean> {
  const [host, pid] = holder.split(' ');
  if (host === hostname() && pid !== undefined && !isAlive(Number(pid))) return true;
  const status = await stat(path).catch(() => undefined);
  return status !== undefined && Date.now() - status.mtimeMs > staleMs;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of somebody else's is alive too.
    return hasCode(error, 'EPERM');
  }
}
