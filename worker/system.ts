import { randomBytes } from 'node:crypto';
import * as disk from 'node:fs/promises';
import { systemClock } from '../shared/clock.ts';
import type { System } from '../shared/system.ts';

// The client has session/system.ts of its own for this: client and worker never import each other,
// and what they share touches no disk.

/** The machine as Node shows it: the disk is `node:fs/promises` itself. */
export const nodeSystem: System = {
  disk,
  clock: systemClock,
  random: { bytes: randomBytes, fraction: Math.random },
  processes: { own: process.pid, isAlive },
};

/** Whether a process of that id lives. */
function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    // A process of somebody else's is alive too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
