import { existsSync, globSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { workerFolders } from './worker/folders.ts';

const cache = workerFolders().cache;
const nearbyData = resolve(import.meta.dirname, '..', 'shared', 'data');

// What `.ci/install-peers` made, from the newest list of packages.
const [peers] = globSync(join(cache, 'peers-*', 'complete')).sort(
  (one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs,
);

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    globalSetup: ['test/global-set-up.mjs'],
    // A process each: the native addon may be loaded once in a process, and never in a thread.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    env: {
      // Tests leave the user's runs and tokens alone, but share the engine that was set up.
      TELETRAIN_HOME: mkdtempSync(join(tmpdir(), 'teletrain-test-')),
      TELETRAIN_CACHE: cache,
      ...(process.env.TELETRAIN_DATA === undefined &&
        existsSync(nearbyData) && { TELETRAIN_DATA: nearbyData }),
      ...(process.env.TELETRAIN_PEERS_PYTHON === undefined &&
        peers !== undefined && { TELETRAIN_PEERS_PYTHON: join(peers, '..', 'bin', 'python') }),
      TF_CPP_MIN_LOG_LEVEL: '2',
    },
  },
});
