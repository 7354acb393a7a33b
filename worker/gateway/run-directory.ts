import { lstat, mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import { checkpointIdSchema } from '../../shared/events.ts';
import {
  type Manifest,
  manifestSchema,
  type RunRecord,
  runRecordSchema,
} from '../../shared/run.ts';
import { isSystemError, makePrivateFolder, syncFolder, writeFileDurably } from './durable-file.ts';

/** Of a run that came from another worker: where its numbering goes on and what it goes on from. */
export const importRecordSchema = z.object({
  nextSeq: z.int().positive(),
  checkpoint: manifestSchema,
  changed: z
    .object({ epochs: z.int().positive().optional(), patience: z.int().min(0).optional() })
    .optional(),
});
export type ImportRecord = z.infer<typeof importRecordSchema>;

/** The files of one run: `run.json`, `import.json`, `journal`, `checkpoints/<id>/`, `uploads/<id>/`. */
export class RunDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get journalPath(): string {
    return join(this.path, 'journal');
  }

  get checkpointsPath(): string {
    return join(this.path, 'checkpoints');
  }

  checkpointPath(id: string): string {
    return join(this.checkpointsPath, id);
  }

  /** Where the files of a checkpoint gather that a client sends. */
  uploadPath(id: string): string {
    return join(this.path, 'uploads', id);
  }

  /** `import.json` is written first: with `run.json` the run exists. */
  async create(record: RunRecord, imported?: ImportRecord): Promise<void> {
    await makePrivateFolder(this.checkpointsPath);
    if (imported) await writeFileDurably(join(this.path, 'import.json'), toJson(imported));
    await writeFileDurably(join(this.path, 'run.json'), toJson(record));
    await syncFolder(join(this.path, '..'));
  }

  /** Moves an earlier life of the run aside, whole, so that nothing of it is taken for the new one's. */
  async setAside(now: number): Promise<void> {
    const aside = join(this.path, '..', '..', 'replaced');
    await mkdir(aside, { recursive: true, mode: 0o700 });
    await rename(this.path, join(aside, `${this.path.split(/[\\/]/).at(-1)}-${now}`));
  }

  /** @throws TeletrainError `run-unreadable`. */
  async read(): Promise<{ record: RunRecord; imported: ImportRecord | undefined }> {
    const record = await readJson(join(this.path, 'run.json'), runRecordSchema);
    if (!record) throw unreadable(join(this.path, 'run.json'));
    return { record, imported: await readJson(join(this.path, 'import.json'), importRecordSchema) };
  }

  /** Whole checkpoints, oldest first; a folder without a manifest is none. */
  async checkpoints(): Promise<Manifest[]> {
    const names = await readdir(this.checkpointsPath).catch((error: unknown) => {
      if (isSystemError(error, 'ENOENT')) return [];
      throw error;
    });
    const ids = names.filter((name) => checkpointIdSchema.safeParse(name).success);
    const manifests = await Promise.all(ids.map((id) => this.#manifest(id)));
    return manifests.filter((manifest) => manifest !== undefined).sort((a, b) => a.step - b.step);
  }

  async #manifest(id: string): Promise<Manifest | undefined> {
    const status = await lstat(this.checkpointPath(id)).catch(() => undefined);
    if (!status?.isDirectory()) return undefined;
    const path = join(this.checkpointPath(id), 'manifest.json');
    return await readJson(path, manifestSchema).catch(() => undefined);
  }
}

const toJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

async function readJson<Output>(
  path: string,
  schema: z.ZodType<Output>,
): Promise<Output | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause?: unknown): TeletrainError {
  return new TeletrainError(
    'run-unreadable',
    `${path} is missing or is not what this teletrain wrote.`,
    {
      hint: 'Move the folder of that run away, or update teletrain if a newer one made it.',
      cause,
    },
  );
}
