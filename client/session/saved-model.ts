import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import {
  type AnySettings,
  completeSettings,
  type RecipeName,
  recipeNames,
} from '../../shared/recipes.ts';
import { clientFolders } from './folders.ts';
import { RunStore } from './run-store.ts';

export interface SavedModelOptions {
  /** Of this recipe. Default: of any. */
  readonly recipe?: RecipeName;
  /** Of this run: its id, a beginning of it that no other has, or `last`. Default: of any. */
  readonly run?: string;
  /** In place of TELETRAIN_HOME. */
  readonly home?: string;
}

/** A run's newest checkpoint on this machine. */
export interface SavedModel {
  readonly run: string;
  readonly recipe: RecipeName;
  readonly settings: AnySettings;
  readonly step: number;
  /**
   * Its `model.safetensors`, for `RemoteModel.loadState`.
   * @throws TeletrainError `checkpoint-corrupt`.
   */
  readWeights(): Promise<Uint8Array>;
}

/**
 * The newest checkpoint of the newest run on this machine that has one.
 * @returns undefined where there is none.
 * @throws UsageError `ambiguous-run`, `unknown-run`.
 */
export async function newestSavedModel({
  recipe,
  run,
  home,
}: SavedModelOptions = {}): Promise<SavedModel | undefined> {
  const environment = home === undefined ? process.env : { ...process.env, TELETRAIN_HOME: home };
  const store = new RunStore(clientFolders(environment).runs);
  const wanted = run === undefined ? undefined : await store.find(run);
  const ids = run === undefined ? await store.ids() : wanted === undefined ? [] : [wanted];
  for (const id of ids) {
    const record = await store.read(id);
    const name = recipeNames.find((known) => known === record?.recipe);
    const newest = (await store.checkpoints(id)).at(-1);
    if (!record || !newest || name === undefined || (recipe ?? name) !== name) continue;
    const { manifest, directory } = newest;
    const file = manifest.files.find((entry) => entry.name === 'model.safetensors');
    return {
      run: id,
      recipe: name,
      settings: completeSettings(name, record.settings),
      step: manifest.step,
      async readWeights() {
        const bytes = await readFile(join(directory, 'model.safetensors'));
        if (createHash('sha256').update(bytes).digest('hex') === file?.sha256) return bytes;
        throw new TeletrainError(
          'checkpoint-corrupt',
          `The checkpoint ${manifest.id} of run "${id}" is not whole.`,
          { hint: `Fetch it again with "teletrain checkpoints get ${id}".` },
        );
      },
    };
  }
  return undefined;
}
