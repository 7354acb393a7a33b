import { existsSync } from 'node:fs';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

const nodePrograms = ['node', 'nodejs', 'npm', 'npx', 'corepack'];

/**
 * The PATH of this machine as if no Node were installed: folders that hold one are replaced by
 * folders of links to everything else in them, made below `folder`.
 */
export async function pathWithoutNode(
  folder: string,
  path = process.env.PATH ?? '',
): Promise<string> {
  const places: string[] = [];
  for (const [index, place] of path.split(delimiter).entries()) {
    if (!nodePrograms.some((name) => existsSync(join(place, name)))) {
      places.push(place);
      continue;
    }
    if (place.includes('node_modules')) continue;
    const copy = join(folder, `path-${index}`);
    await mkdir(copy, { recursive: true });
    for (const name of await readdir(place)) {
      if (!nodePrograms.includes(name)) await symlink(join(place, name), join(copy, name));
    }
    places.push(copy);
  }
  return places.join(delimiter);
}
