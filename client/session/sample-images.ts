import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inflateSync } from 'node:zlib';
import type { EventOf } from '../../shared/events.ts';
import { encodeGreyPng } from './png.ts';
import type { Sample } from './types.ts';

const separator = 128;

/** Where a sample's picture lies, relative to the run's folder. */
export function sampleFile(event: EventOf<'sample'>): string {
  // A name came over the wire: what is not plain in it must not become a path.
  const name = event.name.replace(/[^A-Za-z0-9_-]+/g, '-');
  return `samples/${String(event.step).padStart(9, '0')}-${name || 'sample'}.png`;
}

/** Grey 0..255, count * height * width; undefined when the bytes are not such pictures. */
export function inflateSample(event: EventOf<'sample'>): Uint8Array | undefined {
  const bytes = event.count * event.height * event.width;
  try {
    const pixels = inflateSync(event.pixels, { maxOutputLength: bytes });
    return pixels.length === bytes ? pixels : undefined;
  } catch {
    return undefined;
  }
}

/** All pictures of a sample in one PNG, `columns` a row, one grey pixel between them. */
export function sampleGrid(
  sample: Pick<Sample, 'count' | 'height' | 'width' | 'columns' | 'pixels'>,
): Buffer {
  const { count, height, width } = sample;
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
      grid.set(pixels.subarray(from, from + width), (top + y) * gridWidth + left);
    }
  }
  return encodeGreyPng(grid, gridWidth, gridHeight);
}

/** Writes a sample's picture into the run's folder, whole or not at all. */
export async function writeSample(directory: string, sample: Sample): Promise<void> {
  const path = join(directory, sample.file);
  const beside = `${path}.${process.pid}.new`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await writeFile(beside, sampleGrid(sample));
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** Writes the pictures that are missing: their events were kept, and then the program ended. */
export async function writeMissingSamples(
  directory: string,
  samples: readonly Sample[],
): Promise<void> {
  for (const sample of samples) {
    if (!existsSync(join(directory, sample.file))) await writeSample(directory, sample);
  }
}
