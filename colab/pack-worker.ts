import { createHash } from 'node:crypto';
import { access, readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { type Zippable, zipSync } from 'fflate';
import { TeletrainError } from '../shared/errors.ts';
import { workerManifests } from './worker-manifests.ts';

export interface PackedWorker {
  /** A zip file. */
  readonly content: Buffer;
  /** Of the zip file, in hexadecimal. */
  readonly sha256: string;
}

/** What the worker runs: compiled code of both rooms, and what its engine is compiled from. */
const parts = [
  { folder: join('dist', 'shared'), ends: ['.js'] },
  { folder: join('dist', 'worker'), ends: ['.js'] },
  { folder: join('worker', 'native'), ends: ['.cc', '.cpp', '.h'] },
];

/** A time stamp that a zip file can hold, equal for all, so that equal files give equal bytes. */
const timeStamp = new Date(1980, 0, 1);

/**
 * The worker as a zip file that unpacks to a folder in which `npm ci` and the gateway run.
 * fflate, not Node's zlib, compresses: its bytes do not depend on Node's version.
 *
 * @throws TeletrainError `not-compiled`.
 */
export async function packWorker(project: string): Promise<PackedWorker> {
  const files: Zippable = {};
  const add = (name: string, text: string | Uint8Array) => {
    files[name] = [typeof text === 'string' ? Buffer.from(text) : text, { mtime: timeStamp }];
  };
  for (const { folder, ends } of parts) {
    for (const name of await filesBelow(join(project, folder), ends)) {
      const path = join(folder, name);
      if (await isLeftOver(project, path)) continue;
      const text = await readFile(join(project, path), 'utf8');
      add(path.split(sep).join('/'), text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ''));
    }
  }
  if (files['dist/worker/gateway/main.js'] === undefined) {
    throw new TeletrainError('not-compiled', 'The worker is not compiled in this clone.', {
      hint: 'Run "npm start" or "npx tsc -p ." once, then try again.',
    });
  }
  // There even when it has no sources of ours: the engine's build looks into it.
  add('worker/native/', '');
  const manifests = await workerManifests(project);
  add('package.json', manifests.package);
  add('package-lock.json', manifests.lock);
  add('.npmrc', 'ignore-scripts=true\nfund=false\naudit=false\n');
  add('LICENSE', await readFile(join(project, 'LICENSE')).catch(() => ''));
  const content = Buffer.from(zipSync(files, { level: 9 }));
  return { content, sha256: createHash('sha256').update(content).digest('hex') };
}

/** Relative paths in a fixed order. */
async function filesBelow(folder: string, ends: readonly string[]): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.filter((name) => ends.some((end) => name.endsWith(end))).sort();
}

/** In a clone, `dist/` may still have files whose source is gone. */
async function isLeftOver(project: string, path: string): Promise<boolean> {
  const isClone = await exists(join(project, 'tsconfig.json'));
  if (!isClone || !path.startsWith(`dist${sep}`)) return false;
  return !(await exists(join(project, path.slice(5).replace(/\.js$/, '.ts'))));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
