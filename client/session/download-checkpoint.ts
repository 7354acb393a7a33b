import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { type Manifest, manifestSchema } from '../../shared/run.ts';
import type { System } from '../../shared/system.ts';
import { downloadFile } from './download-file.ts';
import { hasCode, syncFolder, writePrivateFile } from './private-file.ts';
import { nodeSystem } from './system.ts';

export interface CheckpointSource {
  readonly run: string;
  readonly checkpoint: string;
  /** SHA-256 of manifest.json, from the event that told of the checkpoint. */
  readonly manifestSha256: string;
  /** Asks the worker for bytes of one of its files. */
  readonly read: (
    file: string,
    offset: number,
    length: number,
    signal: AbortSignal,
  ) => Promise<{ bytes: Uint8Array; size: number }>;
}

const manifestName = 'manifest.json';
const largestManifest = 4 * limits.chunkBytes;

/**
 * Brings a checkpoint home into `<folder>/<id>`, which appears only when every file in it is whole
 * and verified and on disk; until then it is `<folder>/<id>.partial`, where a later attempt goes on.
 * @returns the checkpoint's folder.
 * @throws TeletrainError `checkpoint-corrupt`, `checkpoint-malformed`, what `read` throws.
 */
export async function downloadCheckpoint(
  folder: string,
  source: CheckpointSource,
  onReceived: (bytes: number, total: number) => void,
  signal: AbortSignal,
  system: System = nodeSystem,
): Promise<string> {
  const final = join(folder, source.checkpoint);
  const partial = `${final}.partial`;
  await system.disk.mkdir(partial, { recursive: true, mode: 0o700 });
  const manifest = await bringManifest(partial, source, signal, system);
  const total = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  let before = 0;
  for (const file of manifest.files) {
    await downloadFile({
      path: join(partial, file.name),
      bytes: file.bytes,
      sha256: file.sha256,
      read: async (offset, length, either) =>
        (await source.read(file.name, offset, length, either)).bytes,
      onReceived: (bytes) => onReceived(before + bytes, total),
      signal,
      system,
    });
    before += file.bytes;
  }
  await syncFolder(partial, system);
  await putInPlace(partial, final, system);
  await syncFolder(folder, system);
  return final;
}

async function bringManifest(
  partial: string,
  source: CheckpointSource,
  signal: AbortSignal,
  system: System,
): Promise<Manifest> {
  const { disk } = system;
  const path = join(partial, manifestName);
  const earlier = await disk.readFile(path).catch(() => undefined);
  if (earlier && sha256(earlier) === source.manifestSha256) {
    return parseManifest(earlier, source);
  }
  // Files of another checkpoint of the same step are of no use to this one.
  await disk.rm(partial, { recursive: true, force: true });
  await disk.mkdir(partial, { recursive: true, mode: 0o700 });
  const bytes = await readWholeManifest(source, signal);
  if (sha256(bytes) !== source.manifestSha256) {
    throw new TeletrainError(
      'checkpoint-corrupt',
      "A checkpoint's manifest.json has another SHA-256 than the worker announced.",
      {
        hint: 'Use an earlier checkpoint: teletrain checkpoints <run>.',
      },
    );
  }
  const manifest = parseManifest(bytes, source);
  await writePrivateFile(path, bytes, system);
  return manifest;
}

async function readWholeManifest(source: CheckpointSource, signal: AbortSignal): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let received = 0;
  for (;;) {
    const { bytes, size } = await source.read(manifestName, received, limits.chunkBytes, signal);
    // The message that holds them may be reused once the next one comes.
    parts.push(Buffer.from(bytes));
    received += bytes.length;
    if (received >= size || bytes.length === 0 || size > largestManifest) {
      return Buffer.concat(parts);
    }
  }
}

function parseManifest(bytes: Buffer, source: CheckpointSource): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    value = undefined;
  }
  const parsed = manifestSchema.safeParse(value);
  const names = parsed.data?.files.map((file) => file.name.toLowerCase()) ?? [];
  const isRight =
    parsed.data?.run === source.run &&
    parsed.data.id === source.checkpoint &&
    new Set(names).size === names.length &&
    !names.includes(manifestName);
  if (parsed.success && isRight) return parsed.data;
  throw new TeletrainError(
    'checkpoint-malformed',
    'The manifest of a checkpoint is not one of this checkpoint.',
    {
      hint: 'Use the same version of teletrain on both ends, or an earlier checkpoint.',
    },
  );
}

/** An older checkpoint of the same name, of before a rewind, gives way. */
async function putInPlace(partial: string, final: string, { disk }: System): Promise<void> {
  const older = `${final}.old`;
  await disk.rm(older, { recursive: true, force: true });
  await disk.rename(final, older).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
  });
  await disk.rename(partial, final);
  await disk.rm(older, { recursive: true, force: true });
}

/** @returns the folder of a checkpoint that came home whole and is this one; its files are not hashed again. */
export async function checkpointAtHome(
  folder: string,
  checkpoint: string,
  manifestSha256: string,
  { disk }: System = nodeSystem,
): Promise<string | undefined> {
  const directory = join(folder, checkpoint);
  const bytes = await disk.readFile(join(directory, manifestName)).catch(() => undefined);
  if (!bytes || sha256(bytes) !== manifestSha256) return undefined;
  const manifest = manifestSchema.safeParse(JSON.parse(bytes.toString()));
  if (!manifest.success) return undefined;
  for (const file of manifest.data.files) {
    const status = await disk.stat(join(directory, file.name)).catch(() => undefined);
    if (status?.size !== file.bytes) return undefined;
  }
  return directory;
}

export const sha256 = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');
