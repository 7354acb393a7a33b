import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { writeNotebook } from '../../../colab/build-notebook.ts';
import { UsageError } from '../../../shared/errors.ts';
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
      const folder = await stat(dirname(file)).catch(() => undefined);
      if (!folder?.isDirectory()) {
        throw new UsageError(
          'no-such-folder',
          `There is no folder ${dirname(file)}.`,
          'Make it first, or give --out a file in a folder that is there.',
        );
      }
      const bytes = await writeNotebook(projectFolder(), file);
      if (context.output.json) context.output.document({ file, bytes });
      else {
        context.output.line(`${file} (${formatBytes(bytes)})`);
        context.output.notice('Upload it to https://colab.research.google.com and run its cell.');
      }
    });
}
