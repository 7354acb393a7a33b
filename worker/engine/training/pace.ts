/**
 * How fast a run goes and how long it will still take. Time comes in from the caller, in ms.
 */

/** Throughput is taken over this long. */
const windowMs = 10_000;
/** First steps of a process: buffers are allocated, kernels chosen. Not counted. */
const warmUpSteps = 3;
/** Fewer steps tell too little. */
const leastSteps = 5;

/** What a run still has to do. */
export interface RemainingWork {
  readonly steps: number;
  readonly validations: number;
  readonly sampleGrids: number;
  /** How much longer the test takes than one validation; 0 when it is done. */
  readonly testsInValidations: number;
  /** How much longer one validation is than one step, used until a validation was timed. */
  readonly validationInSteps: number;
}

export class Pace {
  readonly #recent: { at: number; ms: number; examples: number }[] = [];
  #steps = 0;
  #stepMs: number | undefined;
  #validationMs: number | undefined;
  #sampleMs: number | undefined;

  step(at: number, ms: number, examples: number): void {
    this.#steps += 1;
    this.#recent.push({ at, ms, examples });
    while (this.#recent.length > 1 && (this.#recent[0]?.at ?? at) < at - windowMs) {
      this.#recent.shift();
    }
    if (this.#steps <= warmUpSteps) return;
    const weight = Math.max(0.02, 1 / (this.#steps - warmUpSteps));
    this.#stepMs = (1 - weight) * (this.#stepMs ?? ms) + weight * ms;
  }

  validation(ms: number): void {
    this.#validationMs = ms;
  }

  sampleGrid(ms: number): void {
    this.#sampleMs = ms;
  }

  /** Over the time spent in training steps; 0 before the first. */
  examplesPerSecond(): number {
    const ms = this.#recent.reduce((total, step) => total + step.ms, 0);
    const examples = this.#recent.reduce((total, step) => total + step.examples, 0);
    return ms > 0 ? (1000 * examples) / ms : 0;
  }

  /** Undefined until enough steps were timed. Grids count as nothing until one was timed. */
  remainingMs(work: RemainingWork): number | undefined {
    if (this.#stepMs === undefined || this.#steps < warmUpSteps + leastSteps) return undefined;
    const validationMs = this.#validationMs ?? work.validationInSteps * this.#stepMs;
    return (
      work.steps * this.#stepMs +
      (work.validations + work.testsInValidations) * validationMs +
      work.sampleGrids * (this.#sampleMs ?? 0)
    );
  }
}
