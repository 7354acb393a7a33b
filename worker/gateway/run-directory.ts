import { join } from 'node:path';
import { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import { checkpointIdSchema, requestKeySchema } from '../../shared/events.ts';
import { livesSchema } from '../../shared/lives.ts';
import {
  type Manifest,
  manifestSchema,
  type RunRecord,
  runRecordSchema,
} from '../../shared/run.ts';
import type { System } from '../../shared/system.ts';
import { nodeSystem } from '../system.ts';
import { requireNoLink } from './confinement.ts';
import { isSystemError, makePrivateFolder, syncFolder, writeFileDurably } from './durable-file.ts';

/** Of a run that came from another worker: where its numbering goes on and what it goes on from. */
export const importRecordSchema = z.object({
  nextSeq: z.int().positive(),
  lives: livesSchema,
  checkpoint: manifestSchema,
  best: manifestSchema.optional(),
  changed: z
    .object({ epochs: z.int().positive().optional(), patience: z.int().min(0).optional() })
    .optional(),
  /** Which request brought it. */
  request: requestKeySchema.optional(),
  /** Which requests commit its checkpoints, by the checkpoints' ids: see commits.ts. */
  commits: z.record(checkpointIdSchema, requestKeySchema).optional(),
});
export type ImportRecord = z.infer<typeof importRecordSchema>;

/** The files of one run: `run.json`, `import.json`, `journal`, `checkpoints/<id>/`, `uploads/<id>/`. */
export class RunDirectory {
  readonly path: string;
  readonly system: System;

  constructor(path: string, system: System = nodeSystem) {
    this.path = path;
    this.system = system;
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

  /** There is a folder of it, whatever is in there. */
  async isThere(): Promise<boolean> {
    return await exists(this.path, this.system);
  }

  /** `import.json` is written first: with `run.json` the run exists. */
  async create(record: RunRecord, imported?: ImportRecord): Promise<void> {
    const { system } = this;
    await requireNoLink(system, this.path, 'checkpoints');
    await makePrivateFolder(this.checkpointsPath, system);
    if (imported) await this.writeImport(imported);
    await writeFileDurably(join(this.path, 'run.json'), toJson(record), system);
    await syncFolder(join(this.path, '..'), system);
  }

  async writeImport(imported: ImportRecord): Promise<void> {
    await writeFileDurably(join(this.path, 'import.json'), toJson(imported), this.system);
  }

  /** Files gather for a checkpoint that is not in its place yet. */
  async hasUpload(checkpoint: string): Promise<boolean> {
    return await exists(this.uploadPath(checkpoint), this.system);
  }

  /** Moves an earlier life of the run aside, whole, so that nothing of it is taken for the new one's. */
  async setAside(now: number): Promise<void> {
    const aside = join(this.path, '..', '..', 'replaced');
    const { disk } = this.system;
    await disk.mkdir(aside, { recursive: true, mode: 0o700 });
    await disk.rename(this.path, join(aside, `${this.path.split(/[\\/]/).at(-1)}-${now}`));
  }

  /** `run.json` goes first: without it there is no run. */
  async remove(): Promise<void> {
    const { disk } = this.system;
    await disk.rm(join(this.path, 'run.json'), { force: true });
    await syncFolder(this.path, this.system);
    await disk.rm(this.path, { recursive: true, force: true });
  }

  /** @throws TeletrainError `run-unreadable`. */
  async read(): Promise<{ record: RunRecord; imported: ImportRecord | undefined }> {
    await requireNoLink(this.system, this.path);
    const record = await this.#readJson('run.json', runRecordSchema);
    if (!record) throw unreadable(join(this.path, 'run.json'));
    return { record, imported: await this.#readJson('import.json', importRecordSchema) };
  }

  /** Whole checkpoints, oldest first; a folder without a manifest is none. */
  async checkpoints(): Promise<Manifest[]> {
    const ids = await this.checkpointIds();
    const manifests = await Promise.all(ids.map((id) => this.#manifest(id)));
    return manifests.filter((manifest) => manifest !== undefined).sort((a, b) => a.step - b.step);
  }

  /** Of every checkpoint's folder, whole or not. */
  async checkpointIds(): Promise<string[]> {
    await requireNoLink(this.system, this.path, 'checkpoints');
    const names = await this.system.disk.readdir(this.checkpointsPath).catch((error: unknown) => {
      if (isSystemError(error, 'ENOENT')) return [];
      throw error;
    });
    return names.filter((name) => checkpointIdSchema.safeParse(name).success);
  }

  async #manifest(id: string): Promise<Manifest | undefined> {
    const status = await this.system.disk.lstat(this.checkpointPath(id)).catch(() => undefined);
    if (!status?.isDirectory()) return undefined;
    const name = join('checkpoints', id, 'manifest.json');
    return await this.#readJson(name, manifestSchema).catch(() => undefined);
  }

  /** @returns undefined where there is no such file. */
  async #readJson<Output>(name: string, schema: z.ZodType<Output>): Promise<Output | undefined> {
    const path = join(this.path, name);
    let text: string;
    try {
      text = await this.system.disk.readFile(path, 'utf8');
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
}

async function exists(path: string, { disk }: System): Promise<boolean> {
  return await disk.lstat(path).then(
    () => true,
    (error: unknown) => {
      if (isSystemError(error, 'ENOENT')) return false;
      throw error;
    },
  );
}

const toJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

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
