import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { peersPython } from '../peers/python.ts';

/**
 * The peers' Python, if it has what the client in Python needs: one that was made for an older list
 * may not. Where `TELETRAIN_REQUIRE_PEERS` is set it must have it.
 */
export function pythonOfClient(): string | undefined {
  const found = peersPython();
  if (found === undefined) return undefined;
  const { status, stderr } = spawnSync(found, ['-c', 'import msgpack, websockets']);
  if (status === 0) return found;
  if (process.env.TELETRAIN_REQUIRE_PEERS) throw new Error(String(stderr));
  return undefined;
}

export const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
