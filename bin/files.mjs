import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone, or the published package. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** A file's text, or undefined where it cannot be read. */
export function readText(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** A JSON file of the project, or undefined where it is none. */
export function readJson(name) {
  const text = readText(path.join(root, name));
  try {
    return text && JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function removeIfThere(place) {
  fs.rmSync(place, { recursive: true, force: true });
}
