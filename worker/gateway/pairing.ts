import { createHash, timingSafeEqual } from 'node:crypto';
import { limits } from '../../shared/limits.ts';

/** No 0 and O, 1 and I: a code is read from one screen and typed at another. 32 letters, 5 bits each. */
const alphabet = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
const codeLetters = 8;

/**
 * The one-time code that a new client exchanges for a token of one role. At most one code is valid;
 * it stops being so when it was used, when ten minutes have passed or when another is issued. 40 random bits
 * against at most 50 tries a minute (attempts.ts).
 */
export class Pairing {
  readonly #randomBytes: (count: number) => Uint8Array;
  #digest: Buffer | undefined;
  #expiresAt = 0;
  #guest: string | undefined;

  /** @param randomBytes cryptographically random bytes, `count` of them. */
  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  /**
   * @param guest what to call who pairs by it.
   * @returns the new code, e.g. `K7QM-2XPD`, and when it ends (ms). It is not kept in clear.
   */
  issue(now: number, guest?: string): { code: string; expiresAt: number } {
    const bytes = this.#randomBytes(codeLetters);
    // 256 is a multiple of 32, so every letter is as likely.
    const letters = Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join('');
    this.#digest = digest(letters);
    this.#expiresAt = now + limits.pairingMs;
    this.#guest = guest;
    return { code: `${letters.slice(0, 4)}-${letters.slice(4)}`, expiresAt: this.#expiresAt };
  }

  /** Whether a code is waiting to be used. */
  isOpen(now: number): boolean {
    return this.#digest !== undefined && now < this.#expiresAt;
  }

  /** Whether this is the code. Capitals, dashes and blanks do not matter. */
  isRight(text: string, now: number): boolean {
    const given = digest(text.toUpperCase().replace(/[\s-]/g, ''));
    return this.#digest !== undefined && this.isOpen(now) && timingSafeEqual(given, this.#digest);
  }

  /** Uses the code up if it is right. @returns what to call who had it; undefined for a wrong one. */
  redeem(text: string, now: number): { readonly guest: string | undefined } | undefined {
    if (!this.isRight(text, now)) return undefined;
    this.#digest = undefined;
    return { guest: this.#guest };
  }
}

/** Digests have one length, so their comparison takes one time whatever was typed. */
function digest(letters: string): Buffer {
  return createHash('sha256').update(letters).digest();
}
