import type { FromEngine, ToEngine } from '../channel.ts';

/** The engine's end of the channel to the gateway that started it. */
export interface GatewayLink {
  send(message: FromEngine): void;
  /** Settles when everything sent so far was taken by the operating system. */
  drained(): Promise<void>;
}

/**
 * Opens Node's child-process channel. When it closes the gateway is gone, and this process exits
 * at once: an engine never outlives its gateway.
 * @throws Error when this process was not started with a channel.
 */
export function openGatewayLink(onCommand: (command: ToEngine) => void): GatewayLink {
  const send = process.send?.bind(process);
  if (send === undefined) throw new Error('The engine is started by the worker, with a channel.');
  let waiting = 0;
  let drain: (() => void)[] = [];
  process.on('disconnect', () => process.exit(0));
  // The channel's types are the contract (worker/channel.ts): one program, one version.
  process.on('message', (message) => onCommand(message as ToEngine));
  return {
    send(message) {
      waiting += 1;
      send(message, undefined, undefined, () => {
        waiting -= 1;
        if (waiting > 0) return;
        for (const done of drain) done();
        drain = [];
      });
    },
    drained: async () => {
      if (waiting > 0) await new Promise<void>((resolve) => drain.push(resolve));
    },
  };
}
