import { limits } from '../../shared/limits.ts';

/** Checkpoints that somebody reads just now, so that the engine does not rotate them away. */
export class Pins {
  readonly #until = new Map<string, number>();

  /** Keeps a checkpoint for a minute from now. @returns whether it was not kept before. */
  touch(checkpoint: string, now: number): boolean {
    const isNew = !this.#until.has(checkpoint);
    this.#until.set(checkpoint, now + limits.pinMs);
    return isNew;
  }

  /** Lets go of those whose minute is over. @returns whether there were any. */
  expire(now: number): boolean {
    const before = this.#until.size;
    for (const [checkpoint, until] of this.#until) {
      if (until <= now) this.#until.delete(checkpoint);
    }
    return this.#until.size !== before;
  }

  get checkpoints(): readonly string[] {
    return [...this.#until.keys()];
  }
}
