import type { FrameSink } from '../../shared/frame-sender.ts';

/** The part of a WebSocket of `ws` that a connection uses. */
export interface MessageSocket extends FrameSink {
  readonly readyState: number;
  readonly OPEN: number;
  readonly CLOSED: number;
  /** Nothing more is received until `resume`. */
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(
    event: 'message',
    listener: (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean) => void,
  ): unknown;
  on(event: 'close', listener: (code: number) => void): unknown;
  on(event: 'error', listener: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
}

/** A message's bytes, in whichever form `ws` tells them. */
export function toBytes(data: Buffer | ArrayBuffer | Buffer[]): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return Array.isArray(data) ? Buffer.concat(data) : data;
}
