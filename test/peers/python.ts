import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

/**
 * The Python with Keras and its relations that results are compared with: `TELETRAIN_PEERS_PYTHON`,
 * else `.peers/bin/python` in the project, else undefined. A path that was given must exist, and where
 * `TELETRAIN_REQUIRE_PEERS` is set there must be one, so that a required comparison is never left out.
 */
export function peersPython(): string | undefined {
  const given = process.env.TELETRAIN_PEERS_PYTHON;
  if (given) {
    if (!existsSync(given)) {
      throw new Error(`TELETRAIN_PEERS_PYTHON is ${given}, where nothing is.`);
    }
    return given;
  }
  const inProject = resolve(import.meta.dirname, '..', '..', '.peers', 'bin', 'python');
  if (existsSync(inProject)) {
    return inProject;
  }
  if (process.env.TELETRAIN_REQUIRE_PEERS) {
    throw new Error('TELETRAIN_REQUIRE_PEERS is set, but TELETRAIN_PEERS_PYTHON is not.');
  }
  return undefined;
}

/**
 * Runs `test/peers/<script>` and gives what it printed.
 * @throws with what it wrote to stderr when it fails.
 */
export async function runPeer(
  python: string,
  script: string,
  scriptArguments: readonly string[] = [],
): Promise<string> {
  const { stdout } = await promisify(execFile)(
    python,
    [join(import.meta.dirname, script), ...scriptArguments],
    { timeout: 300_000, maxBuffer: 64 * 1024 * 1024 },
  );
  return stdout;
}
