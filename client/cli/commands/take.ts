import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';

export function addTake(program: Command, context: CommandContext): void {
  program
    .command('take')
    .summary('take control of a worker')
    .description(
      'Take control of a worker from the machine that has it now, which can look on and change nothing from then on.',
    )
    .argument('[worker]', 'as "teletrain workers" lists it (default: the only one)')
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
One machine at a time may change things at a worker: whichever asked for a change first, for as long
as it is connected. "teletrain workers" shows which one.

Example:
  teletrain take colab`,
    )
    .action(async (name: string | undefined) => {
      const client = await context.client();
      const { worker, from } = await client.takeControl(name);
      const { output } = context;
      if (output.json) output.document({ worker, ...(from === undefined ? {} : { from }) });
      else {
        const before = from === undefined ? '' : `; "${from}" had it`;
        output.line(`This machine has control of ${worker} now${before}.`);
      }
    });
}
