import { WebSocket } from 'ws';
import { closeCodes, limits, subprotocol } from '../../shared/limits.ts';

export interface SocketListener {
  opened(): void;
  received(message: Uint8Array): void;
  /** Called once, also where the socket never opened; code 1006 where no close frame came. */
  closed(code: number, reason: string): void;
  /** Something that was sent left this program. */
  drained(): void;
}

export interface Socket {
  send(message: Uint8Array): void;
  /** Whether less than `bufferedBytes` wait to leave this program. */
  hasRoom(): boolean;
  /** Says goodbye; a peer that does not answer is dropped. */
  close(code: number, reason: string): void;
  /** Drops it without a word: the peer is dead. */
  terminate(): void;
}

export type OpenSocket = (url: string, listener: SocketListener) => Socket;

const handshakeMs = 10_000;
const goodbyeMs = 2_000;

/**
 * Opens a WebSocket to a worker. Nothing secret is in the URL or the headers: tunnels log both.
 * Compression is off: tensors do not shrink, and it fragments memory.
 */
export function openSocket(url: string, listener: SocketListener): Socket {
  const socket = new WebSocket(url, subprotocol, {
    perMessageDeflate: false,
    maxPayload: limits.frameBytes,
    handshakeTimeout: handshakeMs,
    followRedirects: false,
  });
  let reason = '';
  let ended = false;
  const end = (code: number, why: string): void => {
    if (ended) return;
    ended = true;
    listener.closed(code, why);
  };
  socket.on('open', () => listener.opened());
  socket.on('message', (data, isBinary) => {
    if (ended) return;
    if (!isBinary || !Buffer.isBuffer(data)) {
      socket.close(closeCodes.malformed, 'text');
      return;
    }
    listener.received(data);
  });
  socket.on('unexpected-response', (request, response) => {
    reason = `the server answered HTTP ${response.statusCode} and opened no connection`;
    request.destroy();
    response.destroy();
    end(1006, reason);
  });
  socket.on('error', (error) => {
    reason ||= sentence(error);
  });
  socket.on('close', (code, text) => end(code, reason || text.toString()));
  return {
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(message, () => listener.drained());
    },
    hasRoom: () => socket.bufferedAmount < limits.bufferedBytes,
    close: (code, why) => {
      if (socket.readyState === WebSocket.CONNECTING) return socket.terminate();
      socket.close(code, why);
      setTimeout(() => socket.terminate(), goodbyeMs).unref();
    },
    terminate: () => socket.terminate(),
  };
}

function sentence(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'its name cannot be resolved';
  if (code === 'ECONNRESET') return 'the connection was reset';
  if (code === 'ETIMEDOUT') return 'it does not answer';
  return error.message;
}
