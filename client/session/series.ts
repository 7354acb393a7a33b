import type { Series } from './types.ts';

/** A metric's points in typed arrays that double when they are full, so that a million points cost 32 to 64 MB. */
export class GrowingSeries implements Series {
  readonly name: string;
  readonly split: Series['split'];
  readonly per: Series['per'];
  length = 0;
  steps = new Float64Array(64);
  epochs = new Float64Array(64);
  times = new Float64Array(64);
  values = new Float64Array(64);

  constructor(split: Series['split'], name: string, per: Series['per']) {
    this.split = split;
    this.name = name;
    this.per = per;
  }

  /**
   * One point a step: a run that goes on from a checkpoint of the very step at which it was broken off
   * measures again what it had told of that step.
   */
  push(step: number, epoch: number, time: number, value: number): void {
    if (this.length > 0 && this.steps[this.length - 1] === step) this.length -= 1;
    if (this.length === this.steps.length) this.#grow();
    this.steps[this.length] = step;
    this.epochs[this.length] = epoch;
    this.times[this.length] = time;
    this.values[this.length] = value;
    this.length += 1;
  }

  /** Drops the points after a step; points are in the order of their steps. */
  rewind(toStep: number): void {
    while (this.length > 0 && (this.steps[this.length - 1] ?? 0) > toStep) this.length -= 1;
  }

  #grow(): void {
    const grown = (full: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const larger = new Float64Array(full.length * 2);
      larger.set(full);
      return larger;
    };
    this.steps = grown(this.steps);
    this.epochs = grown(this.epochs);
    this.times = grown(this.times);
    this.values = grown(this.values);
  }
}
