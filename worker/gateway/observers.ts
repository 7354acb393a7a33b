import { type Clock, systemClock } from '../../shared/clock.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { closeCodes } from '../../shared/limits.ts';
import type { ResultOf } from '../../shared/messages.ts';
import type { Caller } from './control-keeper.ts';
import { accessRevoked } from './door.ts';
import type { Pairing } from './pairing.ts';
import type { Tokens } from './tokens.ts';

/** A connection, as far as its client's access goes. */
export interface WatchingConnection {
  readonly caller: Caller;
  /** Says why and closes. */
  end(error: TeletrainError, code: number): void;
}

export interface ObserversOptions {
  readonly tokens: Tokens;
  /** Of the codes by which observers pair. */
  readonly pairing: Pairing;
  /** An observer of this name may look no more; a client of that name saw to it. */
  readonly onRevoked: (observer: string, by: string) => void;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** Who may look: invites them, lists them, and shows out whose access was revoked. */
export class Observers {
  readonly #options: ObserversOptions;
  readonly #clock: Clock;
  readonly #connections = new Set<WatchingConnection>();

  constructor(options: ObserversOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** A connection was welcomed. */
  arrived(connection: WatchingConnection): void {
    this.#connections.add(connection);
    // It was on its way in when its access was revoked.
    if (this.#options.tokens.isRevoked(connection.caller.tokenId)) showOut(connection);
  }

  left(connection: WatchingConnection): void {
    this.#connections.delete(connection);
  }

  /** @param guest what to call who pairs by the code; by default what it calls itself. */
  invite(guest: string | undefined): ResultOf<'observer.invite'> {
    return this.#options.pairing.issue(this.#clock.now(), guest);
  }

  list(): ResultOf<'observer.list'> {
    const observers = this.#options.tokens.observers.map((observer) => ({
      ...observer,
      connections: this.#connectionsOf(observer.id).length,
    }));
    return { observers };
  }

  /**
   * The token of this id opens nothing from now on, also after a restart, and what was opened by it is
   * closed.
   * @throws TeletrainError `unknown-observer`.
   */
  async revoke(id: string, by: Caller): Promise<void> {
    const { tokens, onRevoked } = this.#options;
    const observer = await tokens.revoke(id);
    if (observer) onRevoked(observer.name, by.name);
    else if (!tokens.isRevoked(id)) throw unknownObserver(id);
    for (const connection of this.#connectionsOf(id)) showOut(connection);
  }

  #connectionsOf(id: string): WatchingConnection[] {
    return [...this.#connections].filter(({ caller }) => caller.tokenId === id);
  }
}

const showOut = (connection: WatchingConnection): void =>
  connection.end(accessRevoked(), closeCodes.unauthorised);

function unknownObserver(id: string): TeletrainError {
  return new TeletrainError('unknown-observer', `This worker knows no observer "${id}".`, {
    hint: 'See who may look with: teletrain share --list.',
  });
}
