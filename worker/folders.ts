import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where the worker keeps what it makes. Nothing here touches the disk. */
export interface WorkerFolders {
  /** Runs, tokens, the journal, lock files: what must not be lost. */
  readonly state: string;
  /** The engine, datasets: what can be made again. `TELETRAIN_CACHE` moves it. */
  readonly cache: string;
}

/**
 * The worker's folders: under `TELETRAIN_HOME` when it is set, else the platform's usual places
 * (XDG on Linux, `~/Library` on macOS, `%LOCALAPPDATA%` on Windows).
 */
export function workerFolders(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): WorkerFolders {
  const usual = environment.TELETRAIN_HOME
    ? {
        state: join(resolve(environment.TELETRAIN_HOME), 'worker'),
        cache: join(resolve(environment.TELETRAIN_HOME), 'cache'),
      }
    : platformFolders(environment, platform);
  return environment.TELETRAIN_CACHE
    ? { ...usual, cache: resolve(environment.TELETRAIN_CACHE) }
    : usual;
}

function platformFolders(environment: NodeJS.ProcessEnv, platform: NodeJS.Platform): WorkerFolders {
  const home = homedir();
  if (platform === 'darwin') {
    return {
      state: join(home, 'Library', 'Application Support', 'teletrain', 'worker'),
      cache: join(home, 'Library', 'Caches', 'teletrain'),
    };
  }
  if (platform === 'win32') {
    const local = environment.LOCALAPPDATA || join(home, 'AppData', 'Local');
    return {
      state: join(local, 'teletrain', 'worker'),
      cache: join(local, 'teletrain', 'Cache'),
    };
  }
  return {
    state: join(environment.XDG_STATE_HOME || join(home, '.local', 'state'), 'teletrain', 'worker'),
    cache: join(environment.XDG_CACHE_HOME || join(home, '.cache'), 'teletrain'),
  };
}
