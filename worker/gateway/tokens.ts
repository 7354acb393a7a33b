import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { type Role, roleSchema } from '../../shared/messages.ts';
import type { System } from '../../shared/system.ts';
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
    }),
  ),
});
type StoredToken = z.infer<typeof tokensFileSchema>['tokens'][number];

const tokenBytes = 32;
const tokenPattern = /^[A-Za-z0-9_-]{43}$/;

/** Tokens that open this worker: as hashes, in a file that only its owner can read. */
export class Tokens {
  readonly #path: string;
  readonly #system: System;
  #stored: StoredToken[];
  /** A controller and an observer may pair at one moment: the file is written for one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Of a token file that the worker was started with. */
  readonly #given: Buffer[] = [];

  private constructor(path: string, system: System, stored: StoredToken[]) {
    this.#path = path;
    this.#system = system;
    this.#stored = stored;
  }

  /** @throws TeletrainError `tokens-unreadable`. */
  static async open(path: string, system: System = nodeSystem): Promise<Tokens> {
    const { disk } = system;
    try {
      const { tokens } = tokensFileSchema.parse(JSON.parse(await disk.readFile(path, 'utf8')));
      await disk.chmod(path, 0o600);
      return new Tokens(path, system, tokens);
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return new Tokens(path, system, []);
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

  /**
   * @returns a new token for a client that paired; an earlier one of the same client ends. Of each
   *   role there are `limits.tokens` at most, so that no number of observers takes a controller's.
   */
  async issue(
    client: { readonly id: string; readonly name: string },
    role: Role,
    now: number,
  ): Promise<string> {
    const token = this.#system.random.bytes(tokenBytes).toString('base64url');
    const sha256 = digest(token).toString('hex');
    const entry = { sha256, clientId: client.id, clientName: client.name, createdAt: now, role };
    const work = this.#turn.then(() => this.#add(entry));
    this.#turn = work.catch(() => {});
    await work;
    return token;
  }

  async #add(entry: StoredToken): Promise<void> {
    const { role } = entry;
    const others = this.#stored.filter((stored) => stored.clientId !== entry.clientId);
    const alike = [...others.filter((stored) => stored.role === role), entry];
    const unlike = others.filter((stored) => stored.role !== role);
    const tokens = [...unlike, ...alike.slice(-limits.tokens)];
    const format = tokens.some((stored) => stored.role === 'observe') ? 2 : 1;
    const text = `${JSON.stringify({ format, tokens }, null, 2)}\n`;
    await writeFileDurably(this.#path, text, this.#system);
    this.#stored = tokens;
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
