import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import type { System } from '../../shared/system.ts';
import { nodeSystem } from '../system.ts';
import { isSystemError, writeFileDurably } from './durable-file.ts';

const tokensFileSchema = z.object({
  format: z.literal(1),
  tokens: z.array(
    z.object({
      /** The token itself is kept by the client alone. */
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      clientId: z.string(),
      clientName: z.string(),
      createdAt: z.number(),
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

  get count(): number {
    return this.#stored.length + this.#given.length;
  }

  /**
   * Accepts the token in a file that the client made: 32 random bytes in base64url. Nobody pairs
   * by hand then.
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

  /** Looks at every hash, so that the time tells nothing. */
  isValid(token: string): boolean {
    const hash = digest(token);
    let valid = false;
    for (const given of this.#given) valid = timingSafeEqual(given, hash) || valid;
    for (const { sha256 } of this.#stored) {
      valid = timingSafeEqual(Buffer.from(sha256, 'hex'), hash) || valid;
    }
    return valid;
  }

  /** @returns a new token for a client that paired; an earlier one of the same client ends. */
  async issue(clientId: string, clientName: string, now: number): Promise<string> {
    const token = this.#system.random.bytes(tokenBytes).toString('base64url');
    const entry = { sha256: digest(token).toString('hex'), clientId, clientName, createdAt: now };
    const others = this.#stored.filter((stored) => stored.clientId !== clientId);
    const tokens = [...others, entry].slice(-limits.tokens);
    const text = `${JSON.stringify({ format: 1, tokens }, null, 2)}\n`;
    await writeFileDurably(this.#path, text, this.#system);
    this.#stored = tokens;
    return token;
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
