import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inflateSync } from 'node:zlib';
import type { EventOf } from '../../shared/events.ts';
import { encodeGreyPng } from './png.ts';

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

/** All pictures of a sample in one, `columns` a row, one grey pixel between them. */
export function sampleGrid(event: EventOf<'sample'>): Buffer | undefined {
  const pixels = inflateSample(event);
  if (!pixels) return undefined;
  const { count, height, width } = event;
  const columns = Math.min(event.columns, count);
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
export async function writeSample(directory: string, event: EventOf<'sample'>): Promise<void> {
  const png = sampleGrid(event);
  if (!png) return;
  const path = join(directory, sampleFile(event));
  const beside = `${path}.${process.pid}.new`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await writeFile(beside, png);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
