/** The versions of what took part, gathered over all cases. */
export class Versions {
  readonly #found = new Map<string, string>();

  /**
   * A program's version stands under its name; that of a participant which has another one, under
   * e.g. `tensorflow of keras`.
   */
  add(participant: string, versions: Readonly<Record<string, string>>): void {
    for (const [program, version] of Object.entries(versions)) {
      const first = this.#found.get(program);
      if (first === undefined) this.#found.set(program, version);
      else if (first !== version) this.#found.set(`${program} of ${participant}`, version);
    }
  }

  byProgram(): Record<string, string> {
    return Object.fromEntries(this.#found);
  }
}
