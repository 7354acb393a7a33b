import type { Duplex } from 'node:stream';
import { releaseBytes } from '../../shared/release-bytes.ts';
import { WebSocketBytes } from '../../shared/websocket-bytes.ts';

export interface SocketReadingOptions {
  /** The longest payload for which memory is taken at once; it may grow once a client is known. */
  readonly longestPayload: () => number;
  /** Bytes arrived, perhaps of a message that is long in coming. */
  readonly heard: () => void;
  /** A short message was read, which `ws` does not see. */
  readonly message: (message: Buffer) => void;
}

/**
 * Puts what a WebSocket's line reads into its messages' own memory as it comes, and gives the memory of
 * each read back. Left to `ws`, the reads of a long message wait for its last one and are copied then: at 64
 * KiB each they call for a collection again and again, which took as long as all else that an upload costs
 * the gateway.
 *
 * To be called once `ws` listens to the line, before anything more is read.
 * @param head what came behind the request for the upgrade; `ws` must not have been given it.
 */
export function readIntoMessages(
  line: Duplex,
  head: Uint8Array,
  { longestPayload, heard, message }: SocketReadingOptions,
): void {
  const push = line.push.bind(line);
  let wantsMore = true;
  const bytes = new WebSocketBytes(
    (part) => {
      wantsMore = push(part);
      return wantsMore;
    },
    {
      longestPayload,
      messages: {
        get isReady() {
          return line.readableFlowing === true && line.readableLength === 0;
        },
        take: message,
      },
    },
  );
  line.push = (read: Uint8Array | null) => {
    if (read === null) return push(null);
    heard();
    wantsMore = true;
    bytes.push(read);
    releaseBytes(read);
    return wantsMore;
  };
  if (head.length > 0) bytes.push(head);
}
