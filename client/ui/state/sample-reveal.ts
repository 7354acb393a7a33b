import type { RunView } from '../../session/types.ts';

/** A sample that came whole is written in this time: long enough to be seen, short of a nuisance. */
const revealMs = 1_000;

/** How far the newest sample is to be shown. */
export interface RevealedSample {
  readonly seq: number;
  /** Rows from the top. */
  readonly rows: number;
}

/**
 * Shows a sample row by row in the order in which it was drawn, where that was quicker than anybody
 * could see: a hundred digits take a few hundredths of a second. Only of samples that arrive while
 * somebody looks at the run, at the step that the run is at; what was seen while it was drawn is not
 * written once more.
 */
export class SampleReveal {
  #newest: number;
  /** Step of the last sample that was seen while it was drawn. */
  #seenStep: number | undefined;
  #current: { seq: number; givenRows: number; height: number; since: number } | undefined;

  /** @param view samples that are there already are not written */
  constructor(view: RunView) {
    this.#newest = view.samples.at(-1)?.seq ?? 0;
  }

  /** Looks at what changed. */
  look({ samples, drawing, step }: RunView, now: number): void {
    if (drawing) this.#seenStep = drawing.step;
    const sample = samples.at(-1);
    if (!sample || sample.seq === this.#newest) return;
    this.#newest = sample.seq;
    const { seq, givenRows, height } = sample;
    const isNew = sample.step === step && sample.step !== this.#seenStep && givenRows > 0;
    this.#current = isNew ? { seq, givenRows, height, since: now } : undefined;
  }

  /** Undefined where nothing is being written. */
  at(now: number): RevealedSample | undefined {
    if (!this.#current) return undefined;
    const { seq, givenRows, height, since } = this.#current;
    const part = (now - since) / revealMs;
    if (part < 0 || part >= 1) return undefined;
    return { seq, rows: givenRows + Math.floor(part * (height - givenRows)) };
  }
}
