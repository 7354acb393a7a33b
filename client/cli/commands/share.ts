import type { Command } from 'commander';
import { isLoopback } from '../../../shared/connection-url.ts';
import type { CommandContext } from '../context.ts';

export function addShare(program: Command, context: CommandContext): void {
  program
    .command('share')
    .summary('let somebody observe a worker')
    .description(
      'Print the command by which another machine observes a worker: it sees every run and checkpoint, and can change nothing.',
    )
    .argument('[worker]', 'as "teletrain workers" lists it (default: the only one)')
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
The code in it works once, for ten minutes.

Example:
  teletrain share colab`,
    )
    .action(async (name: string | undefined) => {
      const client = await context.client();
      const { worker, url, code, expiresAt, pin } = await client.inviteObserver(name);
      const pinned = pin === undefined ? '' : ` --pin ${pin}`;
      const command = `teletrain connect ${url}${pinned} --code ${code}`;
      const { output } = context;
      if (output.json) output.document({ worker, url, code, expiresAt, command });
      else {
        output.line(command);
        const until = new Date(expiresAt).toTimeString().slice(0, 5);
        output.notice(`It works once, on another machine, until ${until}.`);
        if (isLoopback(url)) {
          output.notice(
            'This address is of this machine only: another one needs a tunnel, and its address there in place of this.',
          );
        }
      }
    });
}
