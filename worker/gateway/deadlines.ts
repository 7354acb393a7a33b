import type { Clock } from '../../shared/clock.ts';

/** Something is done to each of these when its time is over, unless that is called off before. */
export class Deadlines<Of> {
  readonly #clock: Clock;
  readonly #stops = new Map<Of, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those whose time runs, the one that was set longest ago first. */
  get running(): readonly Of[] {
    return [...this.#stops.keys()];
  }

  has(of: Of): boolean {
    return this.#stops.has(of);
  }

  /** In place of an earlier one of the same. @param milliseconds from now. */
  set(of: Of, milliseconds: number, isOver: () => void): void {
    this.callOff(of);
    const call = (): void => {
      this.#stops.delete(of);
      isOver();
    };
    this.#stops.set(of, this.#clock.after(milliseconds, call, { background: true }));
  }

  callOff(of: Of): void {
    this.#stops.get(of)?.();
    this.#stops.delete(of);
  }
}
