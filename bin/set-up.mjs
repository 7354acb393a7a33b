/**
 * What must be true before teletrain's own code can run: packages installed, sources compiled, a
 * Node that is new enough. Plain JavaScript without dependencies, and of a kind that Node 14
 * already understands, because it is what an old Node and an empty clone start with.
 */
import fs from 'node:fs';
import path from 'node:path';
import { compileChanged } from './compile.mjs';
import { root } from './files.mjs';
import { findNode } from './node-binary.mjs';
import { installMissing } from './packages.mjs';
import { withLock } from './set-up-lock.mjs';

/** Installs what is missing, compiles what changed. Returns the path of a Node that is new enough. */
export function prepare() {
  if (!isClone()) return findNode();
  return withLock(() => {
    installMissing();
    const node = findNode();
    compileChanged(node);
    return node;
  });
}

/** Compiles what changed, for tests that start processes from `dist/`. */
export function compile() {
  withLock(() => compileChanged(findNode()));
}

/** Whether this is a clone with sources, or the published package with `dist/` alone. */
function isClone() {
  return fs.existsSync(path.join(root, 'tsconfig.json'));
}
