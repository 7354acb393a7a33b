import type { createConnection } from 'node:net';
import type { Writable } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { WebSocket } from 'ws';
import type { TeletrainError } from '../../shared/errors.ts';
import { FrameSender, type Priority } from '../../shared/frame-sender.ts';
import { closeCodes, limits, subprotocol } from '../../shared/limits.ts';
import { releaseBytes } from '../../shared/release-bytes.ts';
import { WebSocketSink } from '../../shared/websocket-sink.ts';
import { openLine } from './line.ts';
import { untrusted } from './trust.ts';

export interface SocketListener {
  opened(): void;
  /** Bytes arrived: of a message that is told when it is whole, which may take long on a slow line. */
  heard(): void;
  /** @returns whether its bytes are not looked at any more. */
  received(message: Uint8Array): boolean;
  /** Called once, also where the socket never opened; code 1006 where no close frame came. */
  closed(code: number, reason: string): void;
  /** In place of `closed`, before anything was said: the worker does not show that it is the right one. */
  untrusted(error: TeletrainError): void;
  /** Something that had to wait left this program. */
  drained(): void;
}

export interface Socket {
  /** @param sent called when the message left this program. */
  send(priority: Priority, message: Uint8Array, sent?: () => void): void;
  /** Whether a message of that priority would not have to wait for its turn. */
  hasRoom(priority: Priority): boolean;
  /** Reads nothing more until `resume`; what was read already may still be told. */
  pause(): void;
  resume(): void;
  /** Says goodbye; a peer that does not answer is dropped. */
  close(code: number, reason: string): void;
  /** Drops it without a word: the peer is dead. */
  terminate(): void;
}

/** @param pin of the worker's key, by which alone it is trusted then; else by its certificate. */
export type OpenSocket = (url: string, listener: SocketListener, pin?: string) => Socket;

const handshakeMs = 10_000;
const goodbyeMs = 2_000;

/**
 * Opens a WebSocket to a worker. Nothing secret is in the URL or the headers: tunnels log both.
 * Compression is off: tensors do not shrink, and it fragments memory.
 * @param limitMs for everything until it is open, in all: what takes a worker's place may say
 *   nothing, or a byte now and then.
 */
export function openSocket(
  url: string,
  listener: SocketListener,
  pin?: string,
  limitMs = handshakeMs,
): Socket {
  const { protocol, hostname } = new URL(url);
  const isSecure = protocol === 'wss:';
  const heard = (): void => {
    if (wasOpened) listener.heard();
  };
  const message = (data: Buffer): void => {
    if (wasOpened && !ended && listener.received(data)) releaseBytes(data);
  };
  const isLocal = isLoopback(hostname);
  let line: Writable | undefined;
  const socket = new WebSocket(url, subprotocol, {
    perMessageDeflate: false,
    maxPayload: limits.frameBytes,
    followRedirects: false,
    // Its type is that of net's own function with all its forms; ws gives it options alone.
    createConnection: ((options: ConnectionOptions) => {
      line = openLine(options, { isSecure, pin, heard, message });
      return line;
    }) as typeof createConnection,
    ...(isLocal && { generateMask: withoutMask }),
  });
  let reason = '';
  let wasOpened = false;
  let ended = false;
  const deadline = setTimeout(() => {
    reason = 'it does not answer';
    socket.terminate();
  }, limitMs);
  const end = (code: number, why: string): void => {
    clearTimeout(deadline);
    if (ended) return;
    ended = true;
    listener.closed(code, why);
  };
  socket.on('open', () => {
    clearTimeout(deadline);
    wasOpened = true;
    listener.opened();
  });
  socket.on('message', (data, isBinary) => {
    if (!isBinary || !Buffer.isBuffer(data)) {
      socket.close(closeCodes.malformed, 'text');
      return;
    }
    message(data);
  });
  socket.on('unexpected-response', (request, response) => {
    reason = `the server answered HTTP ${response.statusCode} and opened no connection`;
    request.destroy();
    response.destroy();
    end(1006, reason);
  });
  socket.on('error', (error) => {
    const refusal = untrusted(error);
    if (refusal && !ended) {
      ended = true;
      listener.untrusted(refusal);
    }
    reason ||= sentence(error, wasOpened ? undefined : protocol);
  });
  socket.on('close', (code, text) => end(code, reason || text.toString()));
  const sink = isLocal && line ? new WebSocketSink(socket, line, { masked: true }) : socket;
  const sender = new FrameSender(sink, () => listener.drained());
  return {
    send: (priority, message, sent) => {
      if (socket.readyState === WebSocket.OPEN) sender.send(priority, message, sent);
    },
    hasRoom: (priority) => sender.hasRoom(priority),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: (code, why) => {
      if (socket.readyState === WebSocket.CONNECTING) return socket.terminate();
      socket.close(code, why);
      setTimeout(() => socket.terminate(), goodbyeMs).unref();
    },
    terminate: () => socket.terminate(),
  };
}

/**
 * RFC 6455 has a client mask what it sends with a key that nobody can foresee, since a page in a
 * browser could otherwise write requests of its making into the caches of proxies on the way. From
 * this machine to itself there is no proxy, and the mask takes longer than all copies of a tensor
 * together: 0 is a key, too, and leaves the bytes as they are.
 */
const withoutMask = (key: Buffer): void => {
  key.fill(0);
};

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

/** @param protocol of the address where the connection broke before it was one. */
function sentence(error: Error, protocol?: string): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'its name cannot be resolved';
  if (code === 'ECONNRESET') {
    if (protocol === undefined) return 'the connection was reset';
    // So ends a greeting in plain text at a port of TLS, and one of TLS at a port that speaks none.
    const [given, other] = protocol === 'wss:' ? ['wss', 'ws'] : ['ws', 'wss'];
    return `the connection was reset; its address may begin with ${other}:// and not with ${given}://`;
  }
  if (code === 'ETIMEDOUT') return 'it does not answer';
  return error.message;
}
