import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type OnReadOpts, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Two ends of a line within this machine. */
export interface SocketPair {
  /** Reads into memory of its owner's. */
  readonly ours: Socket;
  /** To be given to a child as one of its descriptors, and to be destroyed here then. */
  readonly theirs: Socket;
}

/**
 * As a pipe that Node makes for a child, but for who reads at our end: for a pipe Node allocates
 * 64 KiB for every read and leaves them to be collected, which takes longer than to read large tensors.
 * @throws the system's error where it gives no socket: no folder for it, or none of that kind.
 */
export async function socketPair(onread: OnReadOpts): Promise<SocketPair> {
  // Only the owner may enter it.
  const folder = await mkdtemp(join(tmpdir(), 'teletrain-'));
  const server = createServer({ pauseOnConnect: true });
  try {
    const path = join(folder, 'socket');
    server.listen(path);
    await once(server, 'listening');
    const ours = connect({ path, onread });
    const [[theirs]] = await Promise.all([once(server, 'connection'), once(ours, 'connect')]);
    return { ours, theirs };
  } finally {
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}
