import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { workerFolders } from '../../../worker/folders.ts';

describe('the worker’s folders', () => {
  it('lie under TELETRAIN_HOME when it is set', () => {
    const folders = workerFolders({ TELETRAIN_HOME: '/srv/teletrain' }, 'linux');
    expect(folders).toEqual({ state: '/srv/teletrain/worker', cache: '/srv/teletrain/cache' });
  });

  it('follow XDG on Linux, with its defaults below the home folder', () => {
    expect(workerFolders({ XDG_STATE_HOME: '/state', XDG_CACHE_HOME: '/cache' }, 'linux')).toEqual({
      state: '/state/teletrain/worker',
      cache: '/cache/teletrain',
    });
    expect(workerFolders({}, 'linux')).toEqual({
      state: `${homedir()}/.local/state/teletrain/worker`,
      cache: `${homedir()}/.cache/teletrain`,
    });
  });

  it('lie below ~/Library on macOS', () => {
    expect(workerFolders({}, 'darwin').cache).toBe(`${homedir()}/Library/Caches/teletrain`);
  });

  it('have their cache moved alone by TELETRAIN_CACHE', () => {
    const folders = workerFolders({ TELETRAIN_HOME: '/srv/t', TELETRAIN_CACHE: '/big' }, 'linux');
    expect(folders).toEqual({ state: '/srv/t/worker', cache: '/big' });
  });
});
