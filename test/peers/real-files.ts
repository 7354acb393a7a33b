import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The folder with the published files (`TELETRAIN_DATA`, which the test set-up points at
 * `../shared/data` where that exists), if it has all those named. Where `TELETRAIN_REQUIRE_PEERS` is
 * set, a missing one is an error.
 */
export function realFilesFolder(...names: readonly string[]): string | undefined {
  const folder = process.env.TELETRAIN_DATA;
  const missing = names.filter((name) => !folder || !existsSync(join(folder, name)));
  if (folder && missing.length === 0) {
    return folder;
  }
  if (process.env.TELETRAIN_REQUIRE_PEERS) {
    throw new Error(`${missing.join(', ')} not found in TELETRAIN_DATA (${folder ?? 'not set'}).`);
  }
  return undefined;
}
