import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readText, removeIfThere, root } from './files.mjs';
import { say } from './messages.mjs';

/** Does the work while no other process sets this folder up, waiting for one that does. */
export function withLock(work) {
  const key = createHash('sha256').update(root).digest('hex').slice(0, 16);
  const lock = path.join(os.tmpdir(), `teletrain-setup-${key}.lock`);
  let told = false;
  while (!tryLock(lock)) {
    const holder = Number(readText(lock));
    if (holder && !isAlive(holder)) {
      removeIfThere(lock);
      continue;
    }
    if (!told) say('waiting for another set-up of this folder to finish');
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  try {
    return work();
  } finally {
    removeIfThere(lock);
  }
}

function tryLock(lock) {
  try {
    fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
