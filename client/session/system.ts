import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as disk from 'node:fs/promises';
import { systemClock } from '../../shared/clock.ts';
import type { System } from '../../shared/system.ts';

// The worker has system.ts of its own for this: client and worker never import each other,
// and what they share touches no disk.

/** The machine as Node shows it: the disk is `node:fs/promises` itself. */
export const nodeSystem: System = {
  disk,
  clock: systemClock,
  random: { bytes: randomBytes, fraction: Math.random },
  processes: { own: process.pid, isAlive },
};

/**
 * Whether a process of that id lives. One that has ended is no more, even where nobody has asked yet how it
 * ended: not the thread that started it, if that has ended too, and not every container's first process.
 */
export function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
  } catch (error) {
    // A process of somebody else's is alive too.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return !isZombie(id);
}

/** proc_pid_stat(5): the command's name stands in brackets and may hold anything; the state follows. */
function isZombie(id: number): boolean {
  try {
    const status = readFileSync(`/proc/${id}/stat`, 'latin1');
    return 'ZX'.includes(status.charAt(status.lastIndexOf(')') + 2));
  } catch {
    // It ended just now, which the next look tells, or this is not Linux.
    return false;
  }
}
