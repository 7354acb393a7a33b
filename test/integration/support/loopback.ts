import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

/** Resolves when the server listens on a free port of this machine. */
export async function listenOnLoopback(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

/** @throws Error where the server does not listen. */
export function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it does not listen');
  return address.port;
}

/** Where a client reaches a server that listens on loopback. */
export const webSocketUrlOf = (server: Parameters<typeof portOf>[0]): string =>
  `ws://127.0.0.1:${portOf(server)}/`;
