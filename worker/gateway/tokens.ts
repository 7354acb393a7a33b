import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { type Role, roleSchema } from '../../shared/messages.ts';
import type { System } from '../../shared/system.ts';
import { Turns } from '../../shared/turns.ts';
import { nodeSystem } from '../system.ts';
import { isSystemError, writeFileDurably } from './durable-file.ts';

/**
 * Format 2 is written as soon as an observer is among them: a worker that knows no roles would read
 * format 1 and let the observer change things.
 */
const tokensFileSchema = z.object({
  format: z.union([z.literal(1), z.literal(2)]),
  tokens: z.array(
    z.object({
      /** The token itself is kept by the client alone. */
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      clientId: z.string(),
      clientName: z.string(),
      createdAt: z.number(),
      role: roleSchema.default('control'),
      /** What whoever invited the client calls it. */
      guest: z.string().optional(),
    }),
  ),
  /** SHA-256 of tokens that were revoked: whoever comes with one is told so. */
  revoked: z.array(z.string()).default([]),
});
type StoredToken = z.infer<typeof tokensFileSchema>['tokens'][number];

interface TokensFile {
  readonly tokens: readonly StoredToken[];
  readonly revoked: readonly string[];
}

const tokenBytes = 32;
/** Hexadecimal digits of a token's SHA-256 by which people tell it from others. */
const idDigits = 12;
const tokenPattern = /^[A-Za-z0-9_-]{43}$/;

/** A client that may look, as it is listed. */
export interface ObserverToken {
  readonly id: string;
  /** What whoever invited it calls it, else what it calls itself. */
  readonly name: string;
  /** What it calls itself. */
  readonly client: string;
  /** When it paired, in ms since 1970. */
  readonly pairedAt: number;
}

/** @returns what a token is called by: it opens nothing, and a token does not follow from it. */
export function tokenId(token: string): string {
  return digest(token).toString('hex').slice(0, idDigits);
}

/** Tokens that open this worker: as hashes, in a file that only its owner can read. */
export class Tokens {
  readonly #path: string;
  readonly #system: System;
  #stored: readonly StoredToken[];
  #revoked: readonly string[];
  /** A controller and an observer may pair at one moment: the file is written for one after the other. */
  readonly #turns = new Turns();
  /** Of a token file that the worker was started with. */
  readonly #given: Buffer[] = [];

  private constructor(path: string, system: System, { tokens, revoked }: TokensFile) {
    this.#path = path;
    this.#system = system;
    this.#stored = tokens;
    this.#revoked = revoked;
  }

  /** @throws TeletrainError `tokens-unreadable`. */
  static async open(path: string, system: System = nodeSystem): Promise<Tokens> {
    const { disk } = system;
    try {
      const known = tokensFileSchema.parse(JSON.parse(await disk.readFile(path, 'utf8')));
      await disk.chmod(path, 0o600);
      return new Tokens(path, system, known);
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) {
        return new Tokens(path, system, { tokens: [], revoked: [] });
      }
      throw new TeletrainError('tokens-unreadable', `${path} cannot be read.`, {
        hint: 'Remove it and pair again.',
        cause: error,
      });
    }
  }

  /** Whether any token has the role `control`. */
  get hasController(): boolean {
    return this.#given.length > 0 || this.#stored.some(({ role }) => role === 'control');
  }

  /** Whether this client has paired, and may change things. */
  isController(clientId: string): boolean {
    return this.#stored.some((token) => token.clientId === clientId && token.role === 'control');
  }

  /**
   * Accepts the token in a file that the client made: 32 random bytes in base64url. Nobody pairs
   * by hand then. Its role is `control`.
   * @throws TeletrainError `token-file-unreadable`, `token-file-open` when others can read it, `bad-token-file`.
   */
  async accept(file: string): Promise<void> {
    const { disk } = this.#system;
    let text: string;
    let mode: number;
    try {
      mode = (await disk.stat(file)).mode;
      text = await disk.readFile(file, 'utf8');
    } catch (cause) {
      throw new TeletrainError('token-file-unreadable', `The token file ${file} cannot be read.`, {
        hint: 'Give the path of a file that holds a token.',
        cause,
      });
    }
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new TeletrainError('token-file-open', `Others can read the token file ${file}.`, {
        hint: `Close it with: chmod 600 ${file}`,
      });
    }
    const token = text.trim();
    if (!tokenPattern.test(token)) {
      throw new TeletrainError('bad-token-file', `${file} does not hold a token.`, {
        hint: 'A token is 32 random bytes in base64url, 43 characters.',
      });
    }
    this.#given.push(digest(token));
  }

  /** @returns undefined for a token that opens nothing. Looks at every hash, so that the time tells nothing. */
  roleOf(token: string): Role | undefined {
    const hash = digest(token);
    let found: Role | undefined;
    for (const given of this.#given) if (timingSafeEqual(given, hash)) found = 'control';
    for (const { sha256, role } of this.#stored) {
      if (timingSafeEqual(Buffer.from(sha256, 'hex'), hash)) found = role;
    }
    return found;
  }

  /** Those that may look, in the order in which they paired. */
  get observers(): readonly ObserverToken[] {
    return this.#stored
      .filter(({ role }) => role === 'observe')
      .map(({ sha256, clientName: client, guest, createdAt: pairedAt }) => {
        return { id: idOf(sha256), name: guest ?? client, client, pairedAt };
      });
  }

  /** Whether the token of this id opened this worker, until somebody revoked it. */
  isRevoked(id: string): boolean {
    return this.#revoked.some((sha256) => idOf(sha256) === id);
  }

  /** @returns the observer that may look no more, from now on; undefined where there is none of that id. */
  async revoke(id: string): Promise<ObserverToken | undefined> {
    return await this.#turns.take(async () => {
      const observer = this.observers.find((known) => known.id === id);
      if (!observer) return undefined;
      const revoked = this.#stored.filter(({ sha256 }) => idOf(sha256) === id);
      await this.#write({
        tokens: this.#stored.filter((stored) => !revoked.includes(stored)),
        revoked: [...this.#revoked, ...revoked.map(({ sha256 }) => sha256)].slice(-limits.tokens),
      });
      return observer;
    });
  }

  /**
   * @param guest what whoever invited the client calls it.
   * @returns a new token for a client that paired; an earlier one of the same client ends. Of each
   *   role there are `limits.tokens` at most, so that no number of observers takes a controller's.
   */
  async issue(
    client: { readonly id: string; readonly name: string },
    role: Role,
    now: number,
    guest?: string,
  ): Promise<string> {
    const token = this.#system.random.bytes(tokenBytes).toString('base64url');
    const sha256 = digest(token).toString('hex');
    const entry = { sha256, clientId: client.id, clientName: client.name, createdAt: now, role };
    await this.#turns.take(() => this.#add(guest === undefined ? entry : { ...entry, guest }));
    return token;
  }

  async #add(entry: StoredToken): Promise<void> {
    const { role } = entry;
    const others = this.#stored.filter((stored) => stored.clientId !== entry.clientId);
    const alike = [...others.filter((stored) => stored.role === role), entry];
    const unlike = others.filter((stored) => stored.role !== role);
    const tokens = [...unlike, ...alike.slice(-limits.tokens)];
    await this.#write({ tokens, revoked: this.#revoked });
  }

  async #write({ tokens, revoked }: TokensFile): Promise<void> {
    const format = tokens.some((stored) => stored.role === 'observe') ? 2 : 1;
    const text = `${JSON.stringify({ format, tokens, revoked }, null, 2)}\n`;
    await writeFileDurably(this.#path, text, this.#system);
    this.#stored = tokens;
    this.#revoked = revoked;
  }
}

const idOf = (sha256: string): string => sha256.slice(0, idDigits);

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
