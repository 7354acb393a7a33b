import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type TensorFlowInstall, tensorFlowLibraries, whyUnusable } from './tensorflow-found.ts';

const rememberedSchema = z.object({
  directory: z.string(),
  version: z.string(),
  builtWithCuda: z.boolean(),
  libraryStamp: z.string(),
  /** `TELETRAIN_PYTHON` of the search that found it. */
  askedPython: z.string(),
});

/** Changes whenever another build of TensorFlow takes the folder. */
export async function libraryStamp(directory: string): Promise<string> {
  const { size, mtimeMs } = await stat(join(directory, tensorFlowLibraries[0]));
  return `${size} ${mtimeMs}`;
}

/** Notes which installed TensorFlow serves, so that not every start asks every Python again. */
export async function rememberTensorFlow(
  engineCache: string,
  { directory, version, builtWithCuda }: TensorFlowInstall,
): Promise<void> {
  const remembered: z.infer<typeof rememberedSchema> = {
    directory,
    version,
    builtWithCuda,
    libraryStamp: await libraryStamp(directory),
    askedPython: askedPython(),
  };
  const file = fileIn(engineCache);
  await writeFile(`${file}.partial`, `${JSON.stringify(remembered)}\n`);
  await rename(`${file}.partial`, file);
}

/** The TensorFlow that served last, if it is still as it was and the same Python is asked for. */
export async function recallTensorFlow(
  engineCache: string,
): Promise<TensorFlowInstall | undefined> {
  try {
    const text = await readFile(fileIn(engineCache), 'utf8');
    const { directory, version, builtWithCuda, ...noted } = rememberedSchema.parse(
      JSON.parse(text),
    );
    const isSame =
      noted.askedPython === askedPython() &&
      noted.libraryStamp === (await libraryStamp(directory)) &&
      (await whyUnusable(directory)) === undefined;
    return isSame ? { directory, version, origin: 'installed', builtWithCuda } : undefined;
  } catch {
    return undefined; // Nothing was noted, or what was noted is gone: the search begins anew.
  }
}

const fileIn = (engineCache: string) => join(engineCache, 'installed-tensorflow.json');
const askedPython = () => process.env.TELETRAIN_PYTHON ?? '';
