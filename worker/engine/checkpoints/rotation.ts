import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { listCheckpoints } from './load.ts';

export interface Kept {
  /** Latest checkpoints that stay. */
  readonly latest: number;
  /** Ids that stay whatever their age: the best one, and those being fetched. */
  readonly always: ReadonlySet<string>;
}

/** @param ids Oldest first. */
export function checkpointsToRemove(ids: readonly string[], { latest, always }: Kept): string[] {
  return ids.slice(0, Math.max(0, ids.length - latest)).filter((id) => !always.has(id));
}

/** Removes what need not be kept. Renamed first: no reader ever meets half a checkpoint. */
export async function rotateCheckpoints(folder: string, kept: Kept): Promise<string[]> {
  const removed = checkpointsToRemove(await listCheckpoints(folder), kept);
  for (const id of removed) {
    const removing = join(folder, `.removing-${id}`);
    await rename(join(folder, id), removing);
    await rm(removing, { recursive: true, force: true });
  }
  return removed;
}
