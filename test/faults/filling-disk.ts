import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const source = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/') ? '../../../test/faults/full-disk.cc' : './full-disk.cc',
    import.meta.url,
  ),
);

/**
 * A folder whose disk becomes full when it is told to, for processes started with `environment`. It
 * is a library loaded into them (full-disk.cc) rather than a small file system, since only root may
 * mount one, and not in every container.
 */
export class FillingDisk {
  readonly environment: Readonly<Record<string, string>>;
  readonly #room: string;

  private constructor(environment: Readonly<Record<string, string>>, room: string) {
    this.environment = environment;
    this.#room = room;
  }

  /**
   * @param library What `fullDiskLibrary` gave.
   * @param room A path outside of the folder, for the number of bytes that fit.
   */
  static async of(folder: string, library: string, room: string): Promise<FillingDisk> {
    await mkdir(dirname(room), { recursive: true });
    const disk = new FillingDisk(
      {
        LD_PRELOAD: library,
        TELETRAIN_FULL_DISK_FOLDER: folder,
        TELETRAIN_FULL_DISK_ROOM: room,
      },
      room,
    );
    await writeFile(room, Buffer.alloc(8, 0xff));
    return disk;
  }

  /** From now on no more than so many bytes can be written. */
  async fill(bytes: number): Promise<void> {
    await this.#setRoom(BigInt(bytes));
  }

  /** Somebody made room. */
  async free(): Promise<void> {
    await this.#setRoom(-1n);
  }

  async #setRoom(bytes: bigint): Promise<void> {
    const number = Buffer.alloc(8);
    number.writeBigInt64LE(bytes);
    // The processes have this very file in their memory: it must not be replaced.
    await using file = await open(this.#room, 'r+');
    await file.write(number, 0, 8, 0);
  }
}

/**
 * Compiles the library, once for each version of its source.
 * @returns its path, or why there is none here.
 */
export async function fullDiskLibrary(): Promise<{ path: string } | { lacking: string }> {
  if (process.platform !== 'linux') {
    return { lacking: `a full disk is made by LD_PRELOAD, which ${process.platform} has not` };
  }
  const hash = createHash('sha256')
    .update(await readFile(source))
    .digest('hex');
  const path = join(tmpdir(), `teletrain-full-disk-${process.getuid?.()}-${hash.slice(0, 16)}.so`);
  if (existsSync(path)) return { path };
  const beside = `${path}.${process.pid}`;
  try {
    await promisify(execFile)('g++', [
      ...['-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'],
      ...['-o', beside, source, '-ldl'],
    ]);
  } catch (error) {
    const why = error instanceof Error ? error.message.trim() : String(error);
    return { lacking: `a full disk is made by a small library that g++ could not compile: ${why}` };
  }
  await rename(beside, path);
  return { path };
}
