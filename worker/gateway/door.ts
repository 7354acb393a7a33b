import { TeletrainError } from '../../shared/errors.ts';
import { closeCodes, limits, protocolVersions } from '../../shared/limits.ts';
import type { Hello, Welcome } from '../../shared/messages.ts';
import { Attempts } from './attempts.ts';
import type { Pairing } from './pairing.ts';
import type { Tokens } from './tokens.ts';

/** What this worker can do beyond what every version 1 can. */
export const capabilities: readonly string[] = ['tensors'];

export interface DoorOptions {
  readonly pairing: Pairing;
  readonly tokens: Tokens;
  readonly worker: Welcome['worker'];
  /** A code was used up; a client has a token now. */
  readonly onPaired: (clientName: string) => void;
}

/** Who may come in: looks at tokens and codes. */
export class Door {
  readonly #options: DoorOptions;
  readonly #attempts = new Attempts();

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  async authenticate(
    hello: Hello,
    address: string,
    now: number,
  ): Promise<{ welcome: Welcome } | { refused: TeletrainError; code: number }> {
    const { pairing, tokens, onPaired } = this.#options;
    const { auth, client } = hello;
    // Nobody guesses a token, so a right one is never kept waiting for others' wrong ones.
    if ('token' in auth && tokens.isValid(auth.token)) return { welcome: this.#welcome() };
    if (!this.#attempts.allows(address, now)) {
      return { refused: tooMany(), code: closeCodes.tooManyAttempts };
    }
    if ('code' in auth && pairing.redeem(auth.code, now)) {
      const token = await tokens.issue(client.id, client.name, now);
      onPaired(client.name);
      return { welcome: { ...this.#welcome(), token } };
    }
    this.#attempts.wrong(address, now);
    return { refused: 'code' in auth ? wrongCode() : wrongToken(), code: closeCodes.unauthorised };
  }

  #welcome(): Welcome {
    return {
      protocol: protocolVersions.max,
      worker: this.#options.worker,
      capabilities: [...capabilities],
      limits: { ...limits },
    };
  }
}

function wrongCode(): TeletrainError {
  return new TeletrainError('wrong-code', 'The pairing code is wrong, used or no longer valid.', {
    hint: 'Use the code that the worker shows now; it is valid for ten minutes and for one client.',
  });
}

function wrongToken(): TeletrainError {
  return new TeletrainError('wrong-token', 'The worker does not know this client.', {
    hint: 'Pair again by the one-time code that the worker shows: teletrain connect <url>.',
  });
}

function tooMany(): TeletrainError {
  return new TeletrainError('too-many-attempts', 'Too many wrong codes or tokens were tried.', {
    hint: 'Wait a minute, then try again.',
  });
}
