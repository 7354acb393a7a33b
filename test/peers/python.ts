import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

/**
 * The Python with Keras and its relations that results are compared with: `TELETRAIN_PEERS_PYTHON`,
 * else `.peers/bin/python` in the project, else undefined. A path that was given must exist, so that
 * where the comparison is required it cannot be left out by mistake.
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
  return existsSync(inProject) ? inProject : undefined;
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
