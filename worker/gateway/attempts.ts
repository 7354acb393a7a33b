import { limits } from '../../shared/limits.ts';

/**
 * Wrong codes and tokens of the last minute. Too many from one address, or from all, and no more
 * are looked at until the minute has passed. Behind a tunnel everybody has one address, so a
 * correct token, which nobody can guess, is accepted all the same.
 */
export class Attempts {
  readonly #wrong: { readonly address: string; readonly at: number }[] = [];

  allows(address: string, now: number): boolean {
    this.#forget(now);
    if (this.#wrong.length >= limits.attemptsOverall) return false;
    const ofAddress = this.#wrong.filter((attempt) => attempt.address === address).length;
    return ofAddress < limits.attemptsPerAddress;
  }

  wrong(address: string, now: number): void {
    this.#forget(now);
    // What is over the limit anyway need not be remembered.
    if (this.#wrong.length < limits.attemptsOverall) this.#wrong.push({ address, at: now });
  }

  #forget(now: number): void {
    while (this.#wrong[0] && now - this.#wrong[0].at >= limits.attemptsWindowMs) {
      this.#wrong.shift();
    }
  }
}
