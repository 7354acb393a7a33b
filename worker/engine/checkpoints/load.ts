import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TeletrainError } from '../../../shared/errors.ts';
import { checkpointIdSchema } from '../../../shared/events.ts';
import { type Manifest, manifestSchema } from '../../../shared/run.ts';
import { decodeSafetensors, type StoredTensor } from './safetensors.ts';
import { sha256 } from './save.ts';
import { type CheckpointState, stateSchema } from './state.ts';

const damagedPrefix = '.damaged-';

/** A checkpoint read back: every file had the size and the SHA-256 of its manifest. */
export interface LoadedCheckpoint {
  readonly manifest: Manifest;
  /** SHA-256 of manifest.json. */
  readonly manifestSha256: string;
  /** Of all files, the manifest included. */
  readonly bytes: number;
  readonly state: CheckpointState;
  readonly weights: ReadonlyMap<string, StoredTensor>;
  readonly slots: ReadonlyMap<string, StoredTensor>;
}

/** Ids of the checkpoints in `<run>/checkpoints`, oldest first. Not looked into. */
export async function listCheckpoints(folder: string): Promise<string[]> {
  const names: string[] = await readdir(folder).catch(() => []);
  return names.filter((name) => checkpointIdSchema.safeParse(name).success).sort();
}

/**
 * Reads one checkpoint and checks all of it.
 * @throws TeletrainError `corrupt-checkpoint` with what is wrong.
 */
export async function loadCheckpoint(folder: string, id: string): Promise<LoadedCheckpoint> {
  try {
    const read = (name: string) => readFile(join(folder, id, name));
    const manifestFile = await read('manifest.json');
    const manifest = manifestSchema.parse(JSON.parse(String(manifestFile)));
    if (manifest.id !== id) throw new Error(`its manifest is that of ${manifest.id}`);
    const files = new Map<string, Buffer>();
    for (const { name, bytes, sha256: expected } of manifest.files) {
      const content = await read(name);
      if (content.length !== bytes || sha256(content) !== expected) {
        throw new Error(`${name} is not what the manifest says`);
      }
      files.set(name, content);
    }
    const file = (name: string) => {
      const content = files.get(name);
      if (content === undefined) throw new Error(`${name} is missing`);
      return content;
    };
    const state = stateSchema.parse(JSON.parse(String(file('state.json'))));
    if (state.progress.step !== manifest.step) throw new Error('its steps contradict each other');
    return {
      manifest,
      manifestSha256: sha256(manifestFile),
      bytes: manifest.files.reduce((total, { bytes }) => total + bytes, manifestFile.length),
      state,
      weights: decodeSafetensors(file('model.safetensors')),
      slots: decodeSafetensors(file('optimizer.safetensors')),
    };
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new TeletrainError('corrupt-checkpoint', `Checkpoint ${id} cannot be used: ${what}.`, {
      hint: 'Use another checkpoint of the run.',
      cause,
    });
  }
}

/**
 * The newest checkpoint that is whole. A damaged one is set aside (renamed `.damaged-<id>`), so
 * that it is never tried again, and told to `onDamaged`.
 * @param folder `<run>/checkpoints`; it may be missing.
 */
export async function loadNewestCheckpoint(
  folder: string,
  onDamaged: (id: string, error: TeletrainError) => void = () => {},
): Promise<LoadedCheckpoint | undefined> {
  await putBackReplaced(folder);
  for (const id of (await listCheckpoints(folder)).reverse()) {
    try {
      return await loadCheckpoint(folder, id);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      const aside = join(folder, `${damagedPrefix}${id}`);
      await rm(aside, { recursive: true, force: true });
      await rename(join(folder, id), aside);
      onDamaged(id, error);
    }
  }
  return undefined;
}

/** Whether a checkpoint was ever set aside because it was damaged. */
export async function hasDamaged(folder: string): Promise<boolean> {
  const names: string[] = await readdir(folder).catch(() => []);
  return names.some((name) => name.startsWith(damagedPrefix));
}

/** Ends what `saveCheckpoint` had begun when its process died. */
async function putBackReplaced(folder: string): Promise<void> {
  const names: string[] = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (name.startsWith('.writing-') || name.startsWith('.removing-')) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
    const id = name.replace(/^\.replaced-/, '');
    if (id === name) continue;
    if (names.includes(id)) await rm(join(folder, name), { recursive: true, force: true });
    else await rename(join(folder, name), join(folder, id));
  }
}
