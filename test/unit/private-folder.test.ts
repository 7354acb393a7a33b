import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as client from '../../client/session/folders.ts';
import * as worker from '../../worker/gateway/durable-file.ts';

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'teletrain-folder-'));
});
afterEach(() => rm(parent, { recursive: true }));

describe.each([
  ["the client's", client.makePrivateFolder],
  ["the worker's", worker.makePrivateFolder],
])('%s private folder', (_, makePrivateFolder) => {
  it('is made with all that are missing above it, by as many at once as want it', async () => {
    const all = [join(parent, 'one'), join(parent, 'one', 'two'), join(parent, 'one', 'two', '3')];
    const folder = join(parent, 'one', 'two', '3');
    await Promise.all([makePrivateFolder(folder), makePrivateFolder(folder)]);
    await makePrivateFolder(folder);
    // Windows knows no such modes, and calls every folder's 0o666.
    const mode = process.platform === 'win32' ? 0o666 : 0o700;
    for (const made of all) expect((await stat(made)).mode & 0o777).toBe(mode);
  });

  it('is refused at once where a parent cannot be made', async () => {
    const file = join(parent, 'file');
    await writeFile(file, '');
    await expect(makePrivateFolder(file)).rejects.toThrow('EEXIST');
    // Below a file, and on Linux in /proc, where Node's recursive mkdir never ends.
    const impossible = [file, ...(process.platform === 'linux' ? ['/proc/teletrain'] : [])];
    for (const place of impossible) {
      await expect(makePrivateFolder(join(place, 'home'))).rejects.toThrow(/ENOENT|ENOTDIR|EEXIST/);
    }
  });
});
