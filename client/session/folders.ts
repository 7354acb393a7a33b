import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { System } from '../../shared/system.ts';
import { hasCode } from './private-file.ts';
import { nodeSystem } from './system.ts';

/** Where the client keeps what it knows; the worker's folders are its own. Nothing here is a cache. */
export interface ClientFolders {
  readonly state: string;
  readonly runs: string;
  /** Paired workers and their tokens, readable by their owner only. */
  readonly workersFile: string;
  /** Who this installation is to a worker. */
  readonly identityFile: string;
  /** Token and log of the worker that this client starts on this machine. */
  readonly localWorker: string;
  /** That worker's own home, which is read for its lock file only. */
  readonly localWorkerHome: string;
}

/**
 * The client's folders: under `TELETRAIN_HOME` when it is set, else the platform's usual places
 * (XDG on Linux, `~/Library` on macOS, `%LOCALAPPDATA%` on Windows).
 */
export function clientFolders(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): ClientFolders {
  const state = stateFolder(environment, platform);
  return {
    state,
    runs: join(state, 'runs'),
    workersFile: join(state, 'workers.json'),
    identityFile: join(state, 'client.json'),
    localWorker: join(state, 'local-worker'),
    // The worker's folder lies beside the client's on every platform.
    localWorkerHome: join(dirname(state), 'worker'),
  };
}

function stateFolder(environment: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  if (environment.TELETRAIN_HOME) return join(resolve(environment.TELETRAIN_HOME), 'client');
  if (platform === 'darwin') {
    return join(homedir(), 'Library', 'Application Support', 'teletrain', 'client');
  }
  if (platform === 'win32') {
    const local = environment.LOCALAPPDATA || join(homedir(), 'AppData', 'Local');
    return join(local, 'teletrain', 'client');
  }
  const states = environment.XDG_STATE_HOME || join(homedir(), '.local', 'state');
  return join(states, 'teletrain', 'client');
}

/**
 * Makes a folder that only its owner can enter, also where it was there with another mode.
 * @throws the file system's error.
 */
export async function makePrivateFolder(
  directory: string,
  system: System = nodeSystem,
): Promise<void> {
  await makeMissing(directory, system);
  await system.disk.chmod(directory, 0o700);
}

/**
 * Makes a folder and those above it that are missing, one by one: Node's recursive mkdir never ends
 * where a folder can hold none, as /proc.
 */
async function makeMissing(directory: string, system: System): Promise<void> {
  if (await isFolder(directory, system)) return;
  if (dirname(directory) !== directory) await makeMissing(dirname(directory), system);
  try {
    await system.disk.mkdir(directory, { mode: 0o700 });
  } catch (error) {
    // Another program may have made it meanwhile.
    if (!hasCode(error, 'EEXIST') || !(await isFolder(directory, system))) throw error;
  }
}

async function isFolder(path: string, { disk }: System): Promise<boolean> {
  try {
    return (await disk.stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
