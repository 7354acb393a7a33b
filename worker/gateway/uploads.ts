import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { TeletrainError } from '../../shared/errors.ts';
import { hashOfFile } from '../../shared/file-hash.ts';
import { limits } from '../../shared/limits.ts';
import { type Manifest, manifestSchema } from '../../shared/run.ts';
import type { System } from '../../shared/system.ts';
import { requireNoLink } from './confinement.ts';
import { isSystemError, syncFolder, writeFileDurably } from './durable-file.ts';
import type { Run } from './run.ts';

const manifestName = 'manifest.json';

/**
 * Checkpoints that a client brings: their files gather in `uploads/<id>`, each as long as was
 * received so far, so that a transfer that broke off goes on at the byte. `commit` checks them all
 * and renames the folder, so there is a whole checkpoint or none.
 */
export class Uploads {
  /** Writes of one run one after the other, so that lengths are true when they are looked at. */
  readonly #turns = new Map<string, Promise<unknown>>();

  /**
   * Takes bytes at `offset`, which must be the length received so far; none at all only asks.
   * @returns the length now received.
   * @throws TeletrainError `no-upload`, `wrong-offset`, `upload-too-long`; the file system's error: what was received before is kept.
   */
  async receive(
    run: Run,
    checkpoint: string,
    file: string,
    offset: number,
    bytes: Uint8Array,
  ): Promise<number> {
    return await this.#inTurn(run, async () => {
      const size = sizeOf(expected(run, checkpoint), file);
      const folder = run.directory.uploadPath(checkpoint);
      const { system } = run.directory;
      await requireNoLink(system, run.directory.path, 'uploads', checkpoint);
      const path = join(folder, file);
      const received = await lengthOf(path, system);
      if (bytes.length === 0) return received;
      await system.disk.mkdir(folder, { recursive: true, mode: 0o700 });
      if (offset !== received) {
        throw new TeletrainError(
          'wrong-offset',
          `${file} has ${received} bytes so far, not ${offset}.`,
          {
            hint: 'Ask with an empty payload how much was received, and go on from there.',
          },
        );
      }
      if (received + bytes.length > size) {
        throw new TeletrainError(
          'upload-too-long',
          `${file} would be longer than the ${size} bytes of its manifest.`,
          {
            hint: 'Send the files of the checkpoint that was imported.',
          },
        );
      }
      await using target = await system.disk.open(path, received === 0 ? 'w' : 'r+', 0o600);
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await target.write(
          bytes,
          done,
          bytes.length - done,
          received + done,
        );
        done += bytesWritten;
      }
      return received + bytes.length;
    });
  }

  /**
   * @param request key of the request that asks for it.
   * @param manifestSha256 of the manifest.json that was uploaded; without one the worker writes it.
   * @throws TeletrainError `no-upload`, `checkpoint-incomplete`, `checkpoint-corrupt`; the file system's
   *   error.
   */
  async commit(
    run: Run,
    checkpoint: string,
    manifestSha256: string | undefined,
    request?: string,
  ): Promise<void> {
    await this.#inTurn(run, async () => {
      const manifest = expected(run, checkpoint);
      const { system } = run.directory;
      const folder = run.directory.uploadPath(checkpoint);
      const target = run.directory.checkpointPath(checkpoint);
      await requireNoLink(system, run.directory.path, 'uploads', checkpoint);
      await requireNoLink(system, run.directory.path, 'checkpoints');
      // As a run that goes on looks for it: a folder alone is none.
      const whole = await run.directory.checkpoints();
      if (whole.some(({ id }) => id === checkpoint)) {
        // Who moved it may have been refused to make that last.
        await syncFolder(run.directory.checkpointsPath, system);
        return;
      }
      for (const file of manifest.files) await verify(folder, file, system);
      await settleManifest(folder, manifest, manifestSha256, system);
      for (const name of [...manifest.files.map((file) => file.name), manifestName]) {
        await using file = await system.disk.open(join(folder, name), 'r+');
        await file.sync();
      }
      await syncFolder(folder, system);
      if (request !== undefined) await run.commits.begin(checkpoint, request);
      await system.disk.rm(target, { recursive: true, force: true });
      await system.disk.rename(folder, target);
      if (request !== undefined) run.commits.did(request);
      await syncFolder(run.directory.checkpointsPath, system);
    });
  }

  #inTurn<Result>(run: Run, work: () => Promise<Result>): Promise<Result> {
    const result = (this.#turns.get(run.id) ?? Promise.resolve()).then(work);
    const settled = result.catch(() => {});
    this.#turns.set(run.id, settled);
    void settled.then(() => {
      if (this.#turns.get(run.id) === settled) this.#turns.delete(run.id);
    });
    return result;
  }
}

/** The manifest that the import of the run announced. */
function expected(run: Run, checkpoint: string): Manifest {
  const announced = [run.imported?.checkpoint, run.imported?.best];
  const manifest = announced.find((announcement) => announcement?.id === checkpoint);
  if (manifest) return manifest;
  throw new TeletrainError(
    'no-upload',
    `No upload of checkpoint ${checkpoint} of "${run.id}" was announced.`,
    {
      hint: 'Import the run with that checkpoint first.',
    },
  );
}

/** Bytes that a file may have in the end. */
function sizeOf(manifest: Manifest, file: string): number {
  if (file === manifestName) return limits.manifestBytes;
  const entry = manifest.files.find(({ name }) => name === file);
  if (entry) return entry.bytes;
  throw new TeletrainError('no-such-file', `The checkpoint's manifest names no file "${file}".`, {
    hint: 'Send the files of the checkpoint that was imported.',
  });
}

/** A file that is wrong is removed, so that its upload begins anew. */
async function verify(
  folder: string,
  file: Manifest['files'][number],
  system: System,
): Promise<void> {
  const { disk } = system;
  const path = join(folder, file.name);
  const length = await lengthOf(path, system);
  if (file.bytes === 0 && length === 0) {
    await disk.mkdir(folder, { recursive: true, mode: 0o700 });
    await using empty = await disk.open(path, 'a', 0o600);
    await empty.sync();
  }
  if (length < file.bytes) {
    throw new TeletrainError(
      'checkpoint-incomplete',
      `${file.name} has ${length} of ${file.bytes} bytes.`,
      {
        hint: 'Send the rest, then commit again.',
      },
    );
  }
  if ((await hashOfFile(path, system)) !== file.sha256) {
    await disk.rm(path);
    throw new TeletrainError(
      'checkpoint-corrupt',
      `${file.name} is not what its manifest says; it was removed.`,
      {
        hint: 'Verify your copy with "teletrain checkpoints verify <dir>", then send the file again.',
      },
    );
  }
}

async function settleManifest(
  folder: string,
  manifest: Manifest,
  sha256: string | undefined,
  system: System,
): Promise<void> {
  const { disk } = system;
  const path = join(folder, manifestName);
  if (sha256 === undefined) {
    await writeFileDurably(path, `${JSON.stringify(manifest, null, 2)}\n`, system);
    return;
  }
  const bytes = await disk.readFile(path).catch(() => undefined);
  if (!bytes) {
    throw new TeletrainError('checkpoint-incomplete', 'manifest.json was not sent.', {
      hint: 'Send it, or commit without its hash.',
    });
  }
  const isSame =
    createHash('sha256').update(bytes).digest('hex') === sha256 &&
    isDeepStrictEqual(parse(bytes), manifest);
  if (isSame) return;
  await disk.rm(path);
  throw new TeletrainError(
    'checkpoint-corrupt',
    'manifest.json is not the one that was announced; it was removed.',
    {
      hint: 'Verify your copy with "teletrain checkpoints verify <dir>", then send the file again.',
    },
  );
}

function parse(bytes: Buffer): Manifest | undefined {
  try {
    return manifestSchema.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

async function lengthOf(path: string, { disk }: System): Promise<number> {
  const status = await disk.lstat(path).catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (status === undefined) return 0;
  if (status.isFile()) return status.size;
  throw new TeletrainError('run-unreadable', `${path} is no file, or a link to one.`, {
    hint: 'Move it away, then send the file again.',
  });
}
