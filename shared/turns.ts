/** Work that is done one after the other, each when the one before it is over, however that ended. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** @returns what the work gives; a failure is its asker's alone. */
  take<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Resolves when all that was asked for so far is over. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
