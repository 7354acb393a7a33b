import { corruptFile } from './corrupt-file.ts';

const zero = 0x30;
const one = 0x31;
const space = 0x20;
const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * Reads pictures from `.amat` text: one a line, its pixels "0" or "1" with one space between.
 * @param content The uncompressed text.
 * @param file Its name, for errors.
 * @param pixels How many a line must have.
 * @param limit Pictures read, from the first; the lines after them are not looked at. Default: all.
 * @returns 0/1 pixels, row-major, `pixels` a picture.
 * @throws TeletrainError `dataset-corrupt`, with the line.
 */
export function readAmat(
  content: Uint8Array,
  file: string,
  pixels: number,
  limit = Number.POSITIVE_INFINITY,
): Uint8Array {
  const mostPictures = Math.min(limit, Math.ceil(content.length / (2 * pixels - 1)));
  const pictures = new Uint8Array(mostPictures * pixels);
  let line = 0;
  let at = 0;
  while (at < content.length && line < mostPictures) {
    for (let pixel = 0; pixel < pixels; pixel += 1) {
      const value = content[at];
      if (value !== zero && value !== one) {
        throw corruptFile(file, `has no 0 or 1 for pixel ${pixel + 1} in line ${line + 1}`);
      }
      pictures[line * pixels + pixel] = value - zero;
      at += 1;
      if (pixel < pixels - 1) {
        if (content[at] !== space) {
          throw corruptFile(file, `has no space after pixel ${pixel + 1} in line ${line + 1}`);
        }
        at += 1;
      }
    }
    line += 1;
    while (content[at] === space || content[at] === carriageReturn) {
      at += 1;
    }
    if (at < content.length) {
      if (content[at] !== newline) {
        throw corruptFile(file, `has more than ${pixels} pixels in line ${line}`);
      }
      at += 1;
    }
  }
  return pictures.subarray(0, line * pixels);
}
