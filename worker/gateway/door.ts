import { TeletrainError } from '../../shared/errors.ts';
import { closeCodes, limits } from '../../shared/limits.ts';
import type { Hello, Role, Welcome } from '../../shared/messages.ts';
import { Attempts } from './attempts.ts';
import type { Pairing } from './pairing.ts';
import { type Tokens, tokenId } from './tokens.ts';

/** What this worker can do beyond what every version 1 can. */
export const capabilities: readonly string[] = ['tensors', 'models', 'control'];

export interface DoorOptions {
  /** The codes by which clients pair, by the role that they get. */
  readonly pairings: Readonly<Record<Role, Pairing>>;
  readonly tokens: Tokens;
  readonly worker: Welcome['worker'];
  /** A code was used up; a client has a token now. */
  readonly onPaired: (clientName: string, role: Role) => void;
}

/** What the door says of a welcome, the token's role too; the session, which took the version, says that. */
export type GatewayWelcome = Omit<Welcome, 'protocol'> & { readonly role: Role };

export type Verdict =
  | {
      readonly welcome: GatewayWelcome;
      /** Of the token by which it came, or which it was given (tokens.ts). */
      readonly tokenId: string;
    }
  | { readonly refused: TeletrainError; readonly code: number };

/** Who may come in: looks at tokens and codes. */
export class Door {
  readonly #options: DoorOptions;
  readonly #attempts = new Attempts();

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  async authenticate(hello: Hello, address: string, now: number): Promise<Verdict> {
    const { auth } = hello;
    if ('token' in auth) {
      // Nobody guesses a token, so a right one is never kept waiting for others' wrong ones.
      const { tokens } = this.#options;
      const id = tokenId(auth.token);
      const role = tokens.roleOf(auth.token);
      if (role !== undefined) return { welcome: this.#welcome(role), tokenId: id };
      // It was no guess: it is not counted as one.
      if (tokens.isRevoked(id)) {
        return { refused: accessRevoked(), code: closeCodes.unauthorised };
      }
    }
    if (!this.#attempts.allows(address, now)) {
      return { refused: tooMany(), code: closeCodes.tooManyAttempts };
    }
    const paired = 'code' in auth ? await this.#pair(auth.code, hello.client, now) : undefined;
    if (paired) return paired;
    this.#attempts.wrong(address, now);
    return { refused: 'code' in auth ? wrongCode() : wrongToken(), code: closeCodes.unauthorised };
  }

  /** @returns undefined where the code is wrong. */
  async #pair(code: string, client: Hello['client'], now: number): Promise<Verdict | undefined> {
    const { pairings, tokens, onPaired } = this.#options;
    // A pairing replaces the client's token: whoever tries an observer's code on the machine that
    // has control would lose it, with nobody left to give it back.
    if (pairings.observe.isRight(code, now) && tokens.isController(client.id)) {
      return { refused: mayControlAlready(), code: closeCodes.unauthorised };
    }
    for (const role of ['control', 'observe'] as const) {
      const redeemed = pairings[role].redeem(code, now);
      if (!redeemed) continue;
      const token = await tokens.issue(client, role, now, redeemed.guest);
      onPaired(client.name, role);
      return { welcome: { ...this.#welcome(role), token }, tokenId: tokenId(token) };
    }
    return undefined;
  }

  #welcome(role: Role): GatewayWelcome {
    return {
      worker: this.#options.worker,
      capabilities: [...capabilities],
      limits: { ...limits },
      role,
    };
  }
}

/** Of an observer that may look no more. */
export function accessRevoked(): TeletrainError {
  return new TeletrainError(
    'access-revoked',
    'The access of this machine to the worker was revoked.',
    {
      hint: 'Ask whoever shared the worker for a new command to connect by: teletrain share prints it.',
    },
  );
}

function mayControlAlready(): TeletrainError {
  return new TeletrainError(
    'may-control-already',
    'This client may change things here; the code of an observer would take that from it.',
    { hint: 'Use the code on another machine. It is still valid.' },
  );
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
