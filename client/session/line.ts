import { connect, type OnReadOpts, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { limits } from '../../shared/limits.ts';
import { WebSocketBytes } from '../../shared/websocket-bytes.ts';
import { connectSecure } from './trust.ts';

export interface LineOptions {
  readonly isSecure: boolean;
  /** Of the worker's key, by which alone it is trusted. */
  readonly pin: string | undefined;
  /** Bytes arrived. */
  readonly heard: () => void;
  /** A short message was read, which `ws` does not see. */
  readonly message: (message: Buffer) => void;
}

/**
 * The connection under a WebSocket, as a socket that `ws` takes for any other: what arrives is read into
 * memory of ours, a long message's payload where it stays.
 */
export function openLine(
  options: ConnectionOptions,
  { isSecure, pin, heard, message }: LineOptions,
): Socket {
  // The path is that of the request; a socket would be one of the file system.
  const { path: _, ...address } = options;
  const bytes = new WebSocketBytes((part) => socket.push(part), {
    answered: true,
    longestPayload: () => limits.frameBytes,
    messages: {
      get isReady() {
        return socket.readableFlowing === true && socket.readableLength === 0;
      },
      take: message,
    },
  });
  const onread: OnReadOpts = {
    buffer: () => bytes.room,
    callback: (length) => {
      if (socket.destroyed) return false;
      heard();
      return bytes.took(length);
    },
  };
  const socket = open();
  return socket;

  function open(): Socket {
    // Node takes `onread` with TLS, too; its types do not know.
    const line: ConnectionOptions & { port: number; onread: OnReadOpts } = {
      ...address,
      port: Number(address.port),
      onread,
    };
    return isSecure ? connectSecure(line, pin) : connect(line);
  }
}
