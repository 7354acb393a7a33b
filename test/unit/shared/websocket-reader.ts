import type { Writable } from 'node:stream';
import * as ws from 'ws';

/** The part of `ws` that reads frames: ours are held to it. Its types leave it out. */
export const websocketReader = (options: { isServer: boolean; maxPayload: number }): Writable => {
  const { Receiver } = ws as unknown as {
    Receiver: new (options: { isServer: boolean; maxPayload: number }) => Writable;
  };
  return new Receiver(options);
};
