import type { PictureSize } from '../ops/diagonal-order.ts';

/** MNIST's. */
export const digitSize: PictureSize = { rows: 28, columns: 28 };
