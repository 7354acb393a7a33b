import { hostname } from 'node:os';
import { every, sleep } from '../../shared/clock.ts';
import type { OpenFile, System } from '../../shared/system.ts';
import { cancelled } from './errors.ts';
import { hasCode } from './private-file.ts';
import { nodeSystem } from './system.ts';

const heartbeatMs = 5_000;
/** A lock not touched for this long was left behind, whoever held it. */
const staleMs = 30_000;

/**
 * A lock file held by one process at a time. It names its holder, so that a lock left by a process
 * that was killed is taken over at once on the same machine, and after 30 s from another.
 */
export class FileLock implements AsyncDisposable {
  readonly #path: string;
  readonly #system: System;
  readonly #stopHeartbeat: () => void;

  private constructor(path: string, system: System) {
    this.#path = path;
    this.#system = system;
    const { disk, clock } = system;
    this.#stopHeartbeat = every(clock, heartbeatMs, () => {
      const now = new Date(clock.now());
      // A lock that is gone was taken over; its holder finds that out when it writes.
      disk.utimes(path, now, now).catch(() => {});
    });
  }

  /** @returns undefined where another process holds it. */
  static async tryTake(path: string, system: System = nodeSystem): Promise<FileLock | undefined> {
    // The second try is for after a stale lock was put away.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      try {
        await using file = await system.disk.open(path, 'wx', 0o600);
        await signLock(file, path, system);
        return new FileLock(path, system);
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
      }
      if (!(await putAwayStale(path, system))) return undefined;
    }
    return undefined;
  }

  /** Waits for as long as another process holds it. @throws TeletrainError `cancelled`. */
  static async take(
    path: string,
    signal?: AbortSignal,
    system: System = nodeSystem,
  ): Promise<FileLock> {
    for (;;) {
      const lock = await FileLock.tryTake(path, system);
      if (lock) return lock;
      if (signal?.aborted) throw cancelled('Waiting for another program', signal);
      await sleep(system.clock, 10 + system.random.fraction() * 20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopHeartbeat();
    await this.#system.disk.rm(this.#path, { force: true });
  }
}

/** A lock that does not say whose it is would be in everybody's way. */
async function signLock(file: OpenFile, path: string, system: System): Promise<void> {
  try {
    await file.writeFile(`${hostname()} ${system.processes.own}`);
  } catch (error) {
    await system.disk.rm(path, { force: true }).catch(() => {});
    throw error;
  }
}

/** @returns true when the way is free to try again. */
async function putAwayStale(path: string, system: System): Promise<boolean> {
  const { disk, processes } = system;
  const holder = await disk.readFile(path, 'utf8').catch(() => undefined);
  if (holder === undefined) return true;
  if (!(await isStale(path, holder, system))) return false;
  const aside = `${path}.${processes.own}.stale`;
  try {
    await disk.rename(path, aside);
  } catch {
    return true;
  }
  // Between the look and the rename somebody else may have put it away and taken it anew.
  if ((await disk.readFile(aside, 'utf8')) !== holder) await disk.link(aside, path).catch(() => {});
  await disk.rm(aside, { force: true });
  return true;
}

async function isStale(
  path: string,
  holder: string,
  { disk, clock, processes }: System,
): Promise<boolean> {
  const [host, pid] = holder.split(' ');
  if (host === hostname() && pid !== undefined && !processes.isAlive(Number(pid))) return true;
  const status = await disk.stat(path).catch(() => undefined);
  // A clock that was set back makes an old lock one of the future.
  return status !== undefined && Math.abs(clock.now() - status.mtimeMs) > staleMs;
}
