import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImplementationName, LayerName } from '../../../shared/engine-report.ts';

/**
 * Remembers on disk what is being tried, because a driver or a library can end the process instead of
 * failing: the next engine then leaves that implementation out, rather than ending the same way.
 */
export class Attempts {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Why this must not be tried, where an engine ended while it was. */
  endedBefore(layer: LayerName, implementation: ImplementationName): string | undefined {
    const file = this.#fileOf(layer, implementation);
    const tried = readPid(file);
    return tried === undefined || isRunning(tried)
      ? undefined
      : `ended the engine when it was tried; delete ${file} to have it tried again`;
  }

  /** Runs `attempt`, which leaves its mark if it never comes back. */
  remember<Result>(
    layer: LayerName,
    implementation: ImplementationName,
    attempt: () => Result,
  ): Result {
    const file = this.#fileOf(layer, implementation);
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(file, `${process.pid}\n`);
    try {
      return attempt();
    } finally {
      rmSync(file, { force: true });
    }
  }

  #fileOf(layer: LayerName, implementation: ImplementationName): string {
    return join(this.#folder, `${layer}-${implementation}`);
  }
}

function readPid(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether a process of that number runs: another engine may be trying at this moment. */
function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
