import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { writeNotebook } from '../../../colab/build-notebook.ts';
import { formatBytes } from '../../ui/formatting.ts';
import type { CommandContext } from '../context.ts';
import { projectFolder } from '../installation.ts';

export function addNotebook(program: Command, context: CommandContext): void {
  program
    .command('notebook')
    .summary('write the Colab notebook')
    .description(
      'Write the notebook that starts a worker in Google Colab. It carries the worker inside itself.',
    )
    .option('--out <file>', 'where to write it', 'teletrain.ipynb')
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
Open it in Colab (File, Upload notebook), choose a GPU runtime, run its cell and follow what it says.

Example:
  teletrain notebook --out teletrain.ipynb`,
    )
    .action(async (options: { out: string }) => {
      const file = resolve(options.out);
      await mkdir(dirname(file), { recursive: true });
      const bytes = await writeNotebook(projectFolder(), file);
      if (context.output.json) context.output.document({ file, bytes });
      else {
        context.output.line(`${file} (${formatBytes(bytes)})`);
        context.output.notice('Upload it to https://colab.research.google.com and run its cell.');
      }
    });
}
