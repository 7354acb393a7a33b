import { roughBytes } from '../../shared/events.ts';
import type { EngineCommand, FromEngine, ToEngine } from '../channel.ts';

/** The engine's end of the channel to the gateway that started it. */
export interface GatewayLink {
  send(message: FromEngine): void;
  /** Settles when everything sent so far was taken by the operating system. */
  drained(): Promise<void>;
  /** Settles when less than `windowBytes` of events wait for the gateway's disk. */
  room(): Promise<void>;
  /** Settles when all events sent so far are on the gateway's disk. */
  kept(): Promise<void>;
}

/** Enough that the gateway always has the next events at hand while it writes: some 1,000 metrics. */
const windowBytes = 256 * 1024;

/**
 * Opens Node's child-process channel. When it closes the gateway is gone, and this process exits
 * at once: an engine never outlives its gateway.
 * @throws Error when this process was not started with a channel.
 */
export function openGatewayLink(onCommand: (command: EngineCommand) => void): GatewayLink {
  const send = process.send?.bind(process);
  if (send === undefined) throw new Error('The engine is started by the worker, with a channel.');
  let leaving = 0;
  let drain: (() => void)[] = [];
  const waiting = new WaitingEvents();
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message) => {
    // The channel's types are the contract (worker/channel.ts): one program, one version.
    const said = message as ToEngine;
    if (said.type === 'kept') waiting.kept(said.events);
    else onCommand(said);
  });
  return {
    send(message) {
      leaving += 1;
      if (message.type === 'event') waiting.sent(roughBytes(message.event));
      send(message, undefined, undefined, () => {
        leaving -= 1;
        if (leaving > 0) return;
        for (const done of drain) done();
        drain = [];
      });
    },
    drained: async () => {
      if (leaving > 0) await new Promise<void>((resolve) => drain.push(resolve));
    },
    room: () => waiting.untilBelow(windowBytes),
    kept: () => waiting.untilBelow(1),
  };
}

/** Events that were sent and are not on the gateway's disk yet, oldest first. */
class WaitingEvents {
  readonly #sizes: number[] = [];
  #first = 0;
  #bytes = 0;
  #kept = 0;
  #waiters: { below: number; go: () => void }[] = [];

  sent(bytes: number): void {
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** @param events how many in all, since this process began. */
  kept(events: number): void {
    for (; this.#kept < events; this.#kept += 1) {
      this.#bytes -= this.#sizes[this.#first] ?? 0;
      this.#first += 1;
    }
    // Taken out now and then, not one by one: that would move all others each time.
    if (this.#first >= 1024) {
      this.#sizes.splice(0, this.#first);
      this.#first = 0;
    }
    const due = this.#waiters.filter(({ below }) => this.#bytes < below);
    this.#waiters = this.#waiters.filter(({ below }) => this.#bytes >= below);
    for (const { go } of due) go();
  }

  async untilBelow(below: number): Promise<void> {
    if (this.#bytes < below) return;
    await new Promise<void>((go) => this.#waiters.push({ below, go }));
  }
}
