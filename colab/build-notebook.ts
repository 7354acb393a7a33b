import { randomBytes } from 'node:crypto';
import { access, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cellSource } from './cell.ts';
import { introduction } from './introduction.ts';
import { packWorker } from './pack-worker.ts';

/**
 * The Colab notebook as text: terms and instructions, and one cell with form fields that carries
 * the worker and starts it. The same project gives the same bytes.
 *
 * @param project The clone, compiled.
 * @throws TeletrainError `not-compiled`.
 */
export async function buildNotebook(project: string): Promise<string> {
  const bootstrap = await readFile(join(project, 'colab', 'bootstrap.py'), 'utf8');
  const worker = await packWorker(project);
  const notebook = {
    cells: [
      { cell_type: 'markdown', id: 'introduction', metadata: {}, source: lines(introduction) },
      {
        cell_type: 'code',
        id: 'start-worker',
        metadata: { cellView: 'form' },
        execution_count: null,
        outputs: [],
        source: lines(cellSource(bootstrap, worker)),
      },
    ],
    metadata: {
      accelerator: 'GPU',
      colab: { gpuType: 'T4', provenance: [] },
      kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' },
      language_info: { name: 'python' },
    },
    nbformat: 4,
    nbformat_minor: 5,
  };
  return `${JSON.stringify(notebook, null, 1)}\n`;
}

/**
 * Writes the notebook, whole or not at all: the clone's, made anew, or the one that came with the
 * installed package, which was made when that was packed.
 *
 * @returns its size in bytes.
 * @throws TeletrainError `not-compiled`.
 */
export async function writeNotebook(project: string, file: string): Promise<number> {
  const isClone = await access(join(project, 'package-lock.json')).then(
    () => true,
    () => false,
  );
  const text = isClone
    ? await buildNotebook(project)
    : await readFile(join(project, 'colab', 'teletrain.ipynb'), 'utf8');
  const beside = `${file}.${randomBytes(4).toString('hex')}.new`;
  try {
    await writeFile(beside, text);
    await rename(beside, file);
  } finally {
    await rm(beside, { force: true });
  }
  return Buffer.byteLength(text);
}

/** The notebook format keeps text as lines that end in line feeds. */
function lines(text: string): string[] {
  return text.split(/(?<=\n)/);
}
