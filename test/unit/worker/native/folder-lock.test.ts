import { access, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFolderLock } from '../../../../worker/native/folder-lock.ts';

let folder: string;
let lock: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-lock-'));
  lock = join(folder, 'deep', 'setup.lock');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a folder’s lock', () => {
  it('lets one work at a time, and each in the end', async () => {
    let inside = 0;
    let most = 0;
    const waits: string[] = [];
    const work = (name: string) =>
      withFolderLock(
        lock,
        async () => {
          inside += 1;
          most = Math.max(most, inside);
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
          return name;
        },
        (holder) => waits.push(holder),
      );
    expect(await Promise.all([work('a'), work('b'), work('c')])).toEqual(['a', 'b', 'c']);
    expect(most).toBe(1);
    expect(waits).toHaveLength(2);
    expect(waits[0]).toContain(String(process.pid));
  });

  it('is free again after work that failed', async () => {
    const failing = withFolderLock(lock, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    await expect(access(lock)).rejects.toThrow('ENOENT');
    expect(await withFolderLock(lock, async () => 'done')).toBe('done');
  });

  it('is taken over at once from a process of this machine that is gone', async () => {
    await withFolderLock(lock, async () => {});
    // No system gives this number to a process.
    await writeFile(lock, `${hostname()} 2147483646`);
    const winners: number[] = [];
    await Promise.all(
      [1, 2, 3].map((name) => withFolderLock(lock, async () => winners.push(name))),
    );
    expect(winners.toSorted()).toEqual([1, 2, 3]);
  });

  it('is taken over from another machine once its holder is silent for half a minute', async () => {
    await withFolderLock(lock, async () => {});
    await writeFile(lock, 'elsewhere 1');
    const longAgo = new Date(Date.now() - 31_000);
    await utimes(lock, longAgo, longAgo);
    expect(await withFolderLock(lock, async () => 'done')).toBe('done');
  });
});
