import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { readText, removeIfThere, root } from './files.mjs';
import { SetupError } from './messages.mjs';

/** Folders whose TypeScript is compiled into `dist/`. */
const sourceFolders = ['shared', 'worker', 'client', 'colab', 'examples', 'test'];

/** Compiles the sources when they changed since the last time. The new `dist` appears at once, whole. */
export function compileChanged(node) {
  const stamp = sourcesStamp();
  const stampFile = path.join(root, 'dist', '.sources');
  if (readText(stampFile) === stamp) return;
  const fresh = path.join(root, 'dist.fresh');
  const old = path.join(root, 'dist.old');
  removeIfThere(fresh);
  // Types are checked by `npm test`; a start only needs the JavaScript.
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  // The second has the types of what a program can import from this package.
  for (const project of ['tsconfig.json', 'tsconfig.declarations.json']) {
    const result = spawnSync(node, [compiler, '-p', project, '--noCheck', '--outDir', fresh], {
      cwd: root,
      encoding: 'utf8',
    });
    if (result.status === 0) continue;
    removeIfThere(fresh);
    throw new SetupError(
      `The sources do not compile:\n${result.stdout || ''}${result.stderr || ''}`.trim(),
      'Mend them, or restore them from git.',
    );
  }
  fs.writeFileSync(path.join(fresh, '.sources'), stamp);
  removeIfThere(old);
  const dist = path.join(root, 'dist');
  if (fs.existsSync(dist)) fs.renameSync(dist, old);
  fs.renameSync(fresh, dist);
  removeIfThere(old);
}

function sourcesStamp() {
  const hash = createHash('sha256');
  const add = (file) => {
    const { size, mtimeMs } = fs.statSync(file);
    hash.update(`${path.relative(root, file)} ${size} ${mtimeMs}\n`);
  };
  const walk = (folder) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const place = path.join(folder, entry.name);
      if (entry.isDirectory()) walk(place);
      else if (/\.tsx?$/.test(entry.name)) add(place);
    }
  };
  for (const name of ['tsconfig.json', 'tsconfig.declarations.json', 'package-lock.json'])
    add(path.join(root, name));
  for (const folder of sourceFolders) {
    if (fs.existsSync(path.join(root, folder))) walk(path.join(root, folder));
  }
  return hash.digest('hex');
}
