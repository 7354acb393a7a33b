import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const heartbeatMilliseconds = 5_000;
const staleMilliseconds = 30_000;

/**
 * Runs `work` while this process alone holds the lock file, waiting for another holder as long as
 * it lives. The holder touches the file every five seconds, so that a lock left by a killed
 * process is taken over at once on the same machine and after 30 seconds on a shared disk.
 */
export async function withFolderLock<Result>(
  lockFile: string,
  work: () => Promise<Result>,
  onWait?: (holder: string) => void,
): Promise<Result> {
  await mkdir(dirname(lockFile), { recursive: true });
  const identity = `${hostname()} ${process.pid}`;
  let announced = false;
  while (!(await tryCreate(lockFile, identity))) {
    const holder = await readFile(lockFile, 'utf8').catch(() => undefined);
    if (holder !== undefined && (await isStale(lockFile, holder))) {
      await takeAway(lockFile, holder);
      continue;
    }
    if (!announced && holder !== undefined) {
      announced = true;
      onWait?.(holder);
    }
    await sleep(200);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    // A missing file only means that the work is over or the cache was cleaned.
    utimes(lockFile, now, now).catch(() => {});
  }, heartbeatMilliseconds);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(lockFile, { force: true });
  }
}

async function tryCreate(lockFile: string, identity: string): Promise<boolean> {
  try {
    await using file = await open(lockFile, 'wx');
    await file.writeFile(identity);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function isStale(lockFile: string, holder: string): Promise<boolean> {
  const [host, pid] = holder.split(' ');
  if (host === hostname() && pid !== undefined && !isAlive(Number(pid))) return true;
  const status = await stat(lockFile).catch(() => undefined);
  return status !== undefined && Date.now() - status.mtimeMs > staleMilliseconds;
}

/** Removes a stale lock, unless another waiter did so first and the file is now its live lock. */
async function takeAway(lockFile: string, staleHolder: string): Promise<void> {
  const aside = `${lockFile}.${process.pid}.stale`;
  try {
    await rename(lockFile, aside);
  } catch {
    return; // Another waiter was first.
  }
  if ((await readFile(aside, 'utf8')) !== staleHolder) {
    await link(aside, lockFile).catch(() => {});
  }
  await rm(aside, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
