import { createHash } from 'node:crypto';
import { limits } from '../../shared/limits.ts';
import type { ControlState } from '../../shared/messages.ts';

/** An installation, with all of its connections. */
export interface ControllingClient {
  readonly id: string;
  /** What people call it. */
  readonly name: string;
}

/**
 * How a connection ended: it broke, or its client closed it, having asked for a change on it or not.
 * Who only looked did so beside a program that may be about to come back.
 */
export type Ending = 'broke' | 'done' | 'looked';

export type ControlVerdict =
  | { readonly kind: 'held' }
  /** It has control from now on; `from` had it. */
  | { readonly kind: 'granted'; readonly from: ControllingClient | undefined }
  | { readonly kind: 'refused'; readonly holder: ControllingClient };

/**
 * Which client may change things, of those whose token allows it: one at a time. A state machine
 * without a socket, a disk or a clock.
 *
 * Whoever asks for a change gets control where nobody has it, or where its holder has gone: a laptop
 * that was closed must not lock its owner's other one out. Who said goodbye has gone at once; who
 * was cut off only after `controlLingerMs`, since it is most likely coming back. A connection that
 * asked for no change and says goodbye leaves that as it was. From a holder that is there control
 * passes by `take` alone.
 */
export class Control {
  #holder: ControllingClient | undefined;
  /** When a connection of the holder's broke; undefined where none did since it said goodbye. */
  #brokeAt: number | undefined;
  /** Connections by client. */
  readonly #connections = new Map<string, number>();

  /** @param holder who had control when the worker last ended. */
  constructor(holder: ControllingClient | undefined, now: number) {
    this.#holder = holder;
    this.#brokeAt = now;
  }

  get holder(): ControllingClient | undefined {
    return this.#holder;
  }

  arrived({ id, name }: ControllingClient): void {
    this.#connections.set(id, (this.#connections.get(id) ?? 0) + 1);
    if (this.#holder?.id === id) this.#holder = { id, name };
  }

  left({ id }: ControllingClient, ending: Ending, now: number): void {
    const left = (this.#connections.get(id) ?? 0) - 1;
    if (left > 0) this.#connections.set(id, left);
    else this.#connections.delete(id);
    if (this.#holder?.id !== id || ending === 'looked') return;
    this.#brokeAt = ending === 'broke' ? now : undefined;
  }

  /** A client asks for a change. */
  claim(client: ControllingClient, now: number): ControlVerdict {
    const holder = this.#holder;
    if (holder?.id === client.id) return { kind: 'held' };
    if (holder && !this.#hasGone(now)) return { kind: 'refused', holder };
    return this.#grant(client);
  }

  /** @param from `publicId` of who had control as the person saw it. */
  take(client: ControllingClient, from: string | undefined, now: number): ControlVerdict {
    const verdict = this.claim(client, now);
    if (verdict.kind !== 'refused' || publicId(verdict.holder.id) !== from) return verdict;
    return this.#grant(client);
  }

  stateFor(clientId: string): ControlState {
    const holder = this.#holder;
    if (!holder) return { yours: false };
    const { id, name } = holder;
    const connected = this.#connections.has(id);
    return { yours: id === clientId, holder: { id: publicId(id), name, connected } };
  }

  #hasGone(now: number): boolean {
    if (this.#holder && this.#connections.has(this.#holder.id)) return false;
    return this.#brokeAt === undefined || now >= this.#brokeAt + limits.controlLingerMs;
  }

  #grant(client: ControllingClient): ControlVerdict {
    const from = this.#holder;
    this.#holder = { id: client.id, name: client.name };
    this.#brokeAt = undefined;
    return { kind: 'granted', from };
  }
}

/** Names a client to others, who could take its place in the ledger by its own id. */
export function publicId(clientId: string): string {
  return createHash('sha256').update(`control ${clientId}`).digest('base64url').slice(0, 12);
}
