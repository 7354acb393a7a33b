import { limits } from '../../shared/limits.ts';

/** Who reads all that there is, again and again, must not fill the disk: an observer may read, too. */
export const mostPinned = 16;

/** Checkpoints that somebody reads just now, so that the engine does not rotate them away. */
export class Pins {
  /** The one read longest ago first. */
  readonly #until = new Map<string, number>();

  /**
   * Keeps a checkpoint for a minute from now, in place of the one read longest ago where so many are
   * kept. @returns whether it was not kept before.
   */
  touch(checkpoint: string, now: number): boolean {
    const isNew = !this.#until.delete(checkpoint);
    const [oldest] = this.#until.keys();
    if (oldest !== undefined && this.#until.size >= mostPinned) this.#until.delete(oldest);
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
