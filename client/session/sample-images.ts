import { dirname, join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { TeletrainError } from '../../shared/errors.ts';
import type { Drawing, EventOf } from '../../shared/events.ts';
import type { System } from '../../shared/system.ts';
import { encodeGreyPng } from './png.ts';
import { nodeSystem } from './system.ts';
import type { Sample } from './types.ts';

const separator = 128;

/** Sides of the square that a pixel becomes, so that a person can look at digits of 28 x 28. */
const enlargement = 3;

/** Rows that were given, not drawn, have less contrast: black is this grey, and white is that. */
const given = { black: 48, white: 192 } as const;

/** Where a sample's picture lies, relative to the run's folder. */
export function sampleFile(event: EventOf<'sample'>): string {
  // A name came over the wire: what is not plain in it must not become a path.
  const name = event.name.replace(/[^A-Za-z0-9_-]+/g, '-');
  return `samples/${String(event.step).padStart(9, '0')}-${name || 'sample'}.png`;
}

/** Grey 0..255, count * height * width; undefined when the bytes are not such pictures. */
export function inflateSample(event: EventOf<'sample'> | Drawing): Uint8Array | undefined {
  const bytes = event.count * event.height * event.width;
  try {
    const pixels = inflateSync(event.pixels, { maxOutputLength: bytes });
    return pixels.length === bytes ? pixels : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The pictures of a sample: grey 0..255, `count` of `height` x `width` one after the other.
 * @throws TeletrainError `damaged-sample`.
 */
export function samplePixels(event: EventOf<'sample'>): Uint8Array {
  const pixels = inflateSample(event);
  if (pixels) return pixels;
  throw new TeletrainError(
    'damaged-sample',
    `The sample ${event.name} of step ${event.step} arrived damaged.`,
    { hint: 'Leave it out; the next one need not be.' },
  );
}

/**
 * All pictures of a sample in one PNG, `columns` a row, with a grey line between them: each pixel a
 * square of 3 x 3, the given rows in less contrast than the drawn ones.
 */
export function sampleGrid(
  sample: Pick<Sample, 'count' | 'height' | 'width' | 'columns' | 'givenRows' | 'pixels'>,
): Buffer {
  const { count, height, width, givenRows } = sample;
  const pixels = sample.pixels();
  const columns = Math.min(sample.columns, count);
  const rows = Math.ceil(count / columns);
  const gridWidth = columns * (width + 1) - 1;
  const gridHeight = rows * (height + 1) - 1;
  const grid = new Uint8Array(gridWidth * gridHeight).fill(separator);
  for (let picture = 0; picture < count; picture += 1) {
    const left = (picture % columns) * (width + 1);
    const top = Math.floor(picture / columns) * (height + 1);
    for (let y = 0; y < height; y += 1) {
      const from = (picture * height + y) * width;
      const row = pixels.subarray(from, from + width);
      grid.set(y < givenRows ? row.map(asGiven) : row, (top + y) * gridWidth + left);
    }
  }
  return encodeGreyPng(
    enlarged(grid, gridWidth),
    gridWidth * enlargement,
    gridHeight * enlargement,
  );
}

const asGiven = (grey: number): number =>
  Math.round(given.black + (grey / 255) * (given.white - given.black));

/** Every pixel as a square of `enlargement` x `enlargement`. */
function enlarged(pixels: Uint8Array, width: number): Uint8Array {
  const wide = width * enlargement;
  const large = new Uint8Array(pixels.length * enlargement ** 2);
  for (let at = 0; at < large.length; at += 1) {
    const y = Math.floor(at / wide / enlargement);
    const x = Math.floor((at % wide) / enlargement);
    large[at] = pixels[y * width + x] ?? separator;
  }
  return large;
}

/** Writes a sample's picture into the run's folder, whole or not at all. */
export async function writeSample(
  directory: string,
  sample: Sample,
  { disk, processes }: System = nodeSystem,
): Promise<void> {
  const path = join(directory, sample.file);
  const beside = `${path}.${processes.own}.new`;
  await disk.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await disk.writeFile(beside, sampleGrid(sample));
    await disk.rename(beside, path);
  } catch (error) {
    await disk.rm(beside, { force: true });
    throw error;
  }
}

/** Writes the pictures that are missing: their events were kept, and then the program ended. */
export async function writeMissingSamples(
  directory: string,
  samples: readonly Sample[],
  system: System = nodeSystem,
): Promise<void> {
  for (const sample of samples) {
    const known = await system.disk.stat(join(directory, sample.file)).catch(() => undefined);
    if (!known) await writeSample(directory, sample, system);
  }
}
