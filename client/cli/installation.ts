import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const compiled = import.meta.url.endsWith('.js');

/** The folder with package.json: the clone, or the installed package. */
export function projectFolder(): string {
  return compiled ? join(here, '..', '..', '..') : join(here, '..', '..');
}

/** Version in package.json. */
export function programVersion(): string {
  const text = readFileSync(join(projectFolder(), 'package.json'), 'utf8');
  // Our own package.json, shipped with this file: it has a version.
  return (JSON.parse(text) as { version: string }).version;
}

/** Path of one of the worker's programs, e.g. "gateway/main". The client runs them and never imports them. */
export function workerProgram(name: string): string {
  return join(here, '..', '..', 'worker', `${name}${compiled ? '.js' : '.ts'}`);
}
