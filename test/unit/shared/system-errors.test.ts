import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diskTrouble } from '../../../shared/system-errors.ts';

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test('what the system says of a path that is wrong is told with the path, as something to mend', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'teletrain-trouble-'));
  try {
    const file = join(folder, 'file');
    await writeFile(file, '');
    for (const [error, code] of [
      [await failureOf(mkdir(file)), 'not-a-folder'],
      [await failureOf(mkdir(file, { recursive: true })), 'not-a-folder'],
      [await failureOf(mkdir(join(file, 'in-it'), { recursive: true })), 'not-a-folder'],
      [await failureOf(writeFile(folder, '')), 'not-a-file'],
      [await failureOf(mkdir(join(folder, 'not-there', 'in-it'))), 'not-permitted'],
    ] as const) {
      expect(diskTrouble(error)).toMatchObject({ code, message: expect.stringContaining(folder) });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a fault of the program is not taken for trouble with the disk', () => {
  expect(diskTrouble(new TypeError('x is not a function'))).toBeUndefined();
  const missing = Object.assign(new Error('gone'), { code: 'ENOENT', syscall: 'open' });
  expect(diskTrouble(missing)).toBeUndefined();
  expect(diskTrouble(Object.assign(new Error('odd'), { code: 'ERR_ODD' }))).toBeUndefined();
});
