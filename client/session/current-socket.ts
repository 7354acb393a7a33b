import { TeletrainError } from '../../shared/errors.ts';
import type { Hello } from '../../shared/messages.ts';
import { type OpenSocket, openSocket, type Socket, type SocketListener } from './socket.ts';

/** Where a worker is now, and how it knows us. Asked before every attempt: a local worker moves. */
export interface Endpoint {
  readonly url: string;
  readonly auth: Hello['auth'];
  /** Of the worker's key, where it is trusted by that. */
  readonly pin?: string | undefined;
}

/** Where a worker is not now, and may be later. */
export interface Away {
  readonly away: string;
}

export interface CurrentSocketListener extends Omit<SocketListener, 'opened'> {
  opened(auth: Hello['auth']): void;
  /** In place of a socket: no further attempt will mend this. */
  refused(error: TeletrainError): void;
}

export interface CurrentSocketOptions {
  /** @throws TeletrainError what no further attempt will mend. */
  readonly endpoint: () => Promise<Endpoint | Away>;
  readonly openSocket?: OpenSocket | undefined;
}

/** The one socket to a worker that counts: what an older one still says is not listened to. */
export class CurrentSocket {
  readonly #options: CurrentSocketOptions;
  readonly #listener: CurrentSocketListener;
  #socket: Socket | undefined;
  #hasEnded = false;

  constructor(options: CurrentSocketOptions, listener: CurrentSocketListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Undefined while there is none. */
  get now(): Socket | undefined {
    return this.#socket;
  }

  /** Asks where the worker is, and opens a socket to it. The listener is told what came of it. */
  async open(): Promise<void> {
    let endpoint: Endpoint | Away;
    try {
      endpoint = await this.#options.endpoint();
    } catch (error) {
      if (this.#hasEnded) return;
      if (!(error instanceof TeletrainError)) throw error;
      this.#listener.refused(error);
      return;
    }
    if (this.#hasEnded) return;
    if ('away' in endpoint) this.#listener.closed(1006, endpoint.away);
    else this.#openTo(endpoint);
  }

  /** Says goodbye. */
  close(code: number, reason: string): void {
    this.#socket?.close(code, reason);
    this.#socket = undefined;
  }

  /** Drops it: the worker is dead. */
  terminate(): void {
    this.#socket?.terminate();
    this.#socket = undefined;
  }

  /** None is opened any more. */
  end(): void {
    this.#hasEnded = true;
  }

  #openTo({ url, auth, pin }: Endpoint): void {
    const listener = this.#listener;
    const isCurrent = (): boolean => this.#socket === socket;
    const open = this.#options.openSocket ?? openSocket;
    const socket = open(
      url,
      {
        opened: () => {
          if (isCurrent()) listener.opened(auth);
          else socket.terminate();
        },
        heard: () => {
          if (isCurrent()) listener.heard();
        },
        received: (message) => !isCurrent() || listener.received(message),
        drained: () => {
          if (isCurrent()) listener.drained();
        },
        closed: (code, reason) => {
          if (!isCurrent()) return;
          this.#socket = undefined;
          listener.closed(code, reason);
        },
        untrusted: (error) => {
          if (!isCurrent()) return;
          this.#socket = undefined;
          listener.untrusted(error);
        },
      },
      pin,
    );
    this.#socket = socket;
  }
}
