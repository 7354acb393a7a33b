/**
 * Before the first test: `dist/` is compiled for the tests that start processes. After the last:
 * the run's temporary home is removed.
 */
import { rmSync } from 'node:fs';
import { compile } from '../bin/set-up.mjs';

export default function setUp(project) {
  compile();
  return () => {
    rmSync(project.config.env.TELETRAIN_HOME, { recursive: true, force: true });
  };
}
