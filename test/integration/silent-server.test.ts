import { createPublicKey } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, test } from 'vitest';
import { openSocket } from '../../client/session/socket.ts';
import { pinOf } from '../../shared/pin.ts';
import { makeSelfSigned } from '../../worker/gateway/self-signed.ts';
import { listenOnLoopback, portOf } from './support/loopback.ts';

const limitMs = 300;
/** A client that waits for the server, and not for its own limit, would wait so long. */
const patienceMs = 5_000;

const { key, certificate: cert } = makeSelfSigned('silent', ['localhost'], Date.now());

/** Connects to a server that never becomes a worker; how the socket closed. */
async function closing(server: Server, scheme: string, pin?: string) {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket.on('error', () => {})));
  await listenOnLoopback(server);
  const endings: { code: number; reason: string }[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = setTimeout(resolve, patienceMs);
  const end = (code: number, reason: string): void => {
    endings.push({ code, reason });
    resolve();
  };
  openSocket(
    `${scheme}://127.0.0.1:${portOf(server)}/`,
    {
      opened: () => expect.fail('it opened'),
      heard: () => {},
      received: () => false,
      closed: end,
      untrusted: (error) => end(0, error.message),
      drained: () => {},
    },
    pin,
    limitMs,
  );
  await promise;
  clearTimeout(late);
  for (const socket of sockets) socket.destroy();
  server.close();
  return endings;
}

const doesNotAnswer = [{ code: 1006, reason: 'it does not answer' }];

test.each([
  ['ws', 'of plain text', undefined],
  ['wss', 'of TLS', undefined],
  ['wss', 'of TLS with a pin', `sha256:${'A'.repeat(43)}`],
])(
  'a server that takes a connection (%s, %s) and says nothing is given up',
  async (scheme, _kind, pin) => {
    expect(await closing(createServer(), scheme, pin)).toEqual(doesNotAnswer);
  },
);

test('a server that says nothing after its TLS handshake is given up', async () => {
  const server = createTlsServer({ key, cert });
  expect(await closing(server, 'wss', pinOf(createPublicKey(cert)))).toEqual(doesNotAnswer);
});

test('a server that answers a byte at a time and never comes to an end is given up', async () => {
  const server = createServer((socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nX-Long: ');
    const more = setInterval(() => socket.write('x'), limitMs / 10);
    socket.on('close', () => clearInterval(more));
  });
  expect(await closing(server, 'ws')).toEqual(doesNotAnswer);
});
