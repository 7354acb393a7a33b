import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { TeletrainError } from '../../shared/errors.ts';
import { limits, subprotocol } from '../../shared/limits.ts';
import { WebSocketSink } from '../../shared/websocket-sink.ts';
import { Connection } from './connection.ts';
import type { ConnectionHost } from './connection-host.ts';
import { readIntoMessages } from './socket-reading.ts';
import type { TlsIdentity } from './tls.ts';

const shownBy = ({ certificate, key }: TlsIdentity) =>
  ({ cert: certificate, key, minVersion: 'TLSv1.2' }) as const;

/** Messages are chunked by us, so no honest one has many fragments. */
const maxFragments = 64;

const nothing = Buffer.alloc(0);

export interface ServerOptions {
  /** Origins whose pages may connect; by default none may. */
  readonly allowedOrigins?: readonly string[];
  /** What it shows where it speaks TLS. */
  readonly tls?: TlsIdentity | undefined;
}

/** The socket: who gets a WebSocket at all. What is said on it is the connection's matter. */
export class GatewayServer {
  readonly #http: Server | TlsServer;
  readonly #tls: TlsServer | undefined;
  readonly #webSockets: WebSocketServer;
  readonly #host: ConnectionHost;
  readonly #allowedOrigins: ReadonlySet<string>;
  readonly #connections = new Set<Connection>();
  #isClosing = false;

  constructor(host: ConnectionHost, { allowedOrigins = [], tls }: ServerOptions = {}) {
    this.#host = host;
    this.#allowedOrigins = new Set(allowedOrigins);
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: limits.frameBytes,
      maxFragments,
      perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    });
    // A stranger gets no more than this of our time and memory before the upgrade.
    const bounds = {
      headersTimeout: limits.authenticationMs,
      requestTimeout: limits.authenticationMs,
      connectionsCheckingInterval: limits.authenticationMs / 5,
      keepAliveTimeout: 1_000,
      maxHeaderSize: 8 * 1024,
    };
    this.#tls = tls
      ? createTlsServer({
          ...bounds,
          ...shownBy(tls),
          handshakeTimeout: limits.authenticationMs,
        })
      : undefined;
    this.#http = this.#tls ?? createServer(bounds);
    this.#http.on('request', (_request: IncomingMessage, response: ServerResponse) => {
      response.writeHead(426, {
        'content-type': 'text/plain',
        upgrade: 'websocket',
        connection: 'close',
      });
      response.end('This is a teletrain worker. Connect with: teletrain connect <url>\n');
    });
    // Sockets that are not upgraded yet count as well.
    this.#http.maxConnections = limits.connections * 2;
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Whoever connects from now on is shown this; a server that speaks no TLS has nothing to show. */
  show(tls: TlsIdentity): void {
    this.#tls?.setSecureContext(shownBy(tls));
  }

  get connections(): readonly Connection[] {
    return [...this.#connections];
  }

  /** @returns the port it listens on. @throws TeletrainError `cannot-listen`. */
  async listen(port: number, host: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen(port, host, () => {
        this.#http.off('error', reject);
        resolve();
      });
    }).catch((cause: NodeJS.ErrnoException) => {
      throw new TeletrainError(
        'cannot-listen',
        `The worker cannot listen on ${host}:${port} (${cause.code}).`,
        {
          hint:
            cause.code === 'EADDRINUSE'
              ? 'Choose another port with --port, or 0 for any.'
              : 'Choose another --host or --port.',
          cause,
        },
      );
    });
    const address = this.#http.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  }

  /** No new connections; those there are said goodbye to by their owner. */
  refuseNew(): void {
    this.#isClosing = true;
    this.#http.close();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusal(request);
    if (refusal) {
      const [status, reason] = refusal;
      socket.on('error', () => {});
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`,
      );
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, nothing, (webSocket) => {
      const connection = new Connection(webSocket, {
        address: request.socket.remoteAddress ?? '',
        host: this.#host,
        sink: new WebSocketSink(webSocket, socket, { masked: false }),
      });
      this.#connections.add(connection);
      readIntoMessages(socket, head, {
        // A stranger's word takes no memory before the bytes are there.
        longestPayload: () => (connection.isWelcomed ? limits.frameBytes : 0),
        heard: () => connection.heard(),
        message: (message) => webSocket.emit('message', message, true),
      });
      webSocket.once('close', () => this.#connections.delete(connection));
    });
  }

  /** Why this request gets no WebSocket, as an HTTP status and a sentence. */
  #refusal(request: IncomingMessage): [number, string] | undefined {
    if (this.#isClosing) return [503, 'The worker is stopping.\n'];
    // Browsers always say where a page came from, and no page has any business here unasked: it
    // could try codes from a visitor's machine.
    const { origin } = request.headers;
    if (origin !== undefined && !this.#allowedOrigins.has(origin)) {
      return [403, 'Pages of this origin are refused.\n'];
    }
    if (request.url !== '/') return [404, 'Only the path / is served.\n'];
    const offered = (request.headers['sec-websocket-protocol'] ?? '')
      .split(',')
      .map((name) => name.trim());
    if (!offered.includes(subprotocol))
      return [400, `The WebSocket sub-protocol must be ${subprotocol}.\n`];
    if (this.#connections.size >= limits.connections) return [503, 'Too many connections.\n'];
    return undefined;
  }
}
