import type { ImportRecord, RunDirectory } from './run-directory.ts';

/**
 * By which requests the checkpoints that an imported run was brought with came to their places. A key is
 * on disk before its checkpoint is moved there, and counts once nothing gathers for it any more: so it
 * is known however soon the worker is killed, and also when the checkpoint was rotated away since.
 */
export class Commits {
  readonly #directory: RunDirectory;
  #imported: ImportRecord | undefined;
  readonly #done: Set<string>;

  private constructor(
    directory: RunDirectory,
    imported: ImportRecord | undefined,
    done: Set<string>,
  ) {
    this.#directory = directory;
    this.#imported = imported;
    this.#done = done;
  }

  static async of(directory: RunDirectory, imported: ImportRecord | undefined): Promise<Commits> {
    const done = new Set<string>();
    for (const [checkpoint, key] of Object.entries(imported?.commits ?? {})) {
      if (!(await directory.hasUpload(checkpoint))) done.add(key);
    }
    return new Commits(directory, imported, done);
  }

  /** Whether the request of this key did what it asked for. */
  has(key: string): boolean {
    return this.#done.has(key);
  }

  /** The checkpoint is about to be moved. @throws the file system's error: then it must not be. */
  async begin(checkpoint: string, key: string): Promise<void> {
    if (!this.#imported) return;
    const commits = { ...this.#imported.commits, [checkpoint]: key };
    const imported = { ...this.#imported, commits };
    await this.#directory.writeImport(imported);
    this.#imported = imported;
  }

  /** It was. */
  did(key: string): void {
    this.#done.add(key);
  }
}
