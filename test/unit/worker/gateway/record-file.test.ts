import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Disk, System } from '../../../../shared/system.ts';
import { RecordFile } from '../../../../worker/gateway/record-file.ts';
import { nodeSystem } from '../../../../worker/system.ts';

test.skipIf(process.platform === 'win32')(
  'a record counts only once the name of its file is on disk, also where the disk refused that at first',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'teletrain-records-'));
    try {
      const opened: string[] = [];
      let refuses = true;
      const disk: Disk = {
        ...nodeSystem.disk,
        open: async (path, flags, mode) => {
          opened.push(path === folder ? 'folder' : String(flags));
          if (path === folder && refuses) throw Object.assign(new Error('no'), { code: 'EIO' });
          return await nodeSystem.disk.open(path, flags, mode);
        },
      };
      const system: System = { ...nodeSystem, disk };
      const path = join(folder, 'journal');
      const file = new RecordFile(path, { end: 0, isSpoiled: false }, system);
      const record = Buffer.from('a record');

      await expect(file.append(record)).rejects.toMatchObject({ code: 'EIO' });
      expect(file.end).toBe(0);
      refuses = false;
      await file.append(record);
      await file.append(record);
      await file.close();

      // The file once, not a second time beside a forgotten handle; its folder until it was synced.
      expect(opened).toEqual(['r+', 'wx+', 'folder', 'folder']);
      expect(await readFile(path, 'utf8')).toBe('a recorda record');
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
