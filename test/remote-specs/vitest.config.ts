import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { workerFolders } from '../../worker/folders.ts';

/**
 * tfjs-core's own specs, which its package ships, over the backend `remote`: `npm run remote-specs`.
 * With TELETRAIN_SPECS_ON=engine they run on the engine itself, and each kernel's outputs are held to
 * what the client works out for it.
 */
export default defineConfig({
  plugins: [
    {
      name: 'specs-without-jasmine',
      transform: (code, id) =>
        id.endsWith('/tfjs-core/dist/jasmine_util.js')
          ? code
              .replace(/require\('jasmine-core[^']*'\)/, '{ core: () => ({}) }')
              .replace('Error.stackTraceLimit = Infinity;', '')
          : undefined,
    },
  ],
  test: {
    include: ['test/remote-specs/*.specs.ts'],
    pool: 'forks',
    chaiConfig: { truncateThreshold: 0 },
    maxWorkers: 1,
    testTimeout: 20_000,
    hookTimeout: 120_000,
    server: { deps: { inline: [/tfjs-core\/dist\//] } },
    env: {
      TELETRAIN_HOME: mkdtempSync(join(tmpdir(), 'teletrain-specs-')),
      TELETRAIN_CACHE: workerFolders().cache,
      TF_CPP_MIN_LOG_LEVEL: '2',
    },
  },
});
