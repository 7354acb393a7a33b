import { promisify } from 'node:util';
import { constants, deflate } from 'node:zlib';
import type { Drawing, EventBody } from '../../../shared/events.ts';
import { limits } from '../../../shared/limits.ts';
import type { Split } from '../datasets/dataset.ts';
import { evenlySpaced, spreadOut } from '../datasets/evenly-spaced.ts';
import type { PictureModel, TrainableModel } from '../models/model.ts';
import { createRandom } from '../random.ts';

/** Rows 0..13, the top half, are given. */
export const givenRows = 14;
const height = 28;
const width = 28;

export const isPictureModel = (model: TrainableModel): model is PictureModel =>
  'complete' in model && 'logits' in model;

export interface SampleOptions {
  readonly seed: number;
  readonly step: number;
  readonly epoch: number;
  readonly count: number;
  /** Runs after each row; throws to end the sampling. */
  readonly gate: () => Promise<void>;
  /** Part done, 0..1. */
  readonly onProgress: (done: number) => void;
  /**
   * Told what is drawn so far, after a row and at most every `drawingMs` (shared/limits.ts); a grid
   * that is done sooner is not shown in parts.
   */
  readonly onDrawing: (drawing: Omit<Drawing, 'run'>) => void;
  /** A clock in ms. Default: `performance.now`. */
  readonly now?: () => number;
}

/**
 * Completes `count` digits of a split whose lower half is hidden, always the same ones, spread over
 * the split and mixed: a published file sorted by digit would otherwise show zeros first. The random numbers
 * follow from (seed, step) alone, so drawing a grid changes nothing in the training.
 */
export async function sampleGrid(
  model: PictureModel,
  split: Split,
  {
    seed,
    step,
    epoch,
    count,
    gate,
    onProgress,
    onDrawing,
    now = () => performance.now(),
  }: SampleOptions,
): Promise<EventBody> {
  const taken = Math.min(count, split.count);
  const columns = Math.min(64, Math.ceil(Math.sqrt(taken)));
  const shown = spreadOut(evenlySpaced(taken, split.count), Math.ceil(taken / columns));
  const pixels = height * width;
  const occluded = new Uint8Array(taken * pixels);
  shown.forEach((from, to) => {
    const given = split.inputs.subarray(from * pixels, from * pixels + givenRows * width);
    occluded.set(given, to * pixels);
  });
  const facts = {
    step,
    epoch,
    name: 'completions',
    count: taken,
    height,
    width,
    columns,
    givenRows,
  };
  const random = createRandom(seed, `sample/${step}`);
  let shownAt = now();
  const completed = await model.complete(occluded, taken, givenRows, () => random.next(), {
    onRow: async (row, pictures) => {
      const rows = row + 1;
      onProgress((rows - givenRows) / (height - givenRows));
      if (rows < height && now() - shownAt >= limits.drawingMs) {
        shownAt = now();
        // Drawing goes on when this is done: quickly rather than small.
        onDrawing({ ...facts, rows, pixels: await packed(pictures, constants.Z_BEST_SPEED) });
      }
      await gate();
    },
  });
  return { type: 'sample', ...facts, pixels: await packed(completed) };
}

/** 0/1 pixels as black and white ones, deflated. */
function packed(pictures: Uint8Array, level = constants.Z_DEFAULT_COMPRESSION) {
  const pixels = pictures.map((bit) => 255 * bit);
  return promisify(deflate)(pixels, { level });
}
