import { type Command, Option } from 'commander';
import { isLoopback } from '../../../shared/connection-url.ts';
import type { Observer } from '../../../shared/messages.ts';
import { formatAgo } from '../../ui/formatting.ts';
import type { CommandContext } from '../context.ts';
import { formatTable } from '../table.ts';

interface ShareOptions {
  readonly for?: string;
  readonly list?: true;
  readonly revoke?: string;
}

export function addShare(program: Command, context: CommandContext): void {
  program
    .command('share')
    .summary('let somebody observe a worker, see who may, or end that')
    .description(
      'Print the command by which another machine observes a worker: it sees every run and checkpoint, and can change nothing.',
    )
    .argument('[worker]', 'as "teletrain workers" lists it (default: the only one)')
    .option('--for <name>', 'what to call it in the list (default: what it calls itself)')
    .addOption(
      new Option('--list', 'list the machines that may observe').conflicts(['for', 'revoke']),
    )
    .addOption(
      new Option(
        '--revoke <name>',
        'let one of them, by its name or id, observe no more; what it has open is closed',
      ).conflicts('for'),
    )
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
The code in the command works once, for ten minutes, until another is printed.

Examples:
  teletrain share colab --for Ada
  teletrain share colab --list
  teletrain share colab --revoke Ada`,
    )
    .action(async (name: string | undefined, options: ShareOptions) => {
      if (options.list) await list(context, name);
      else if (options.revoke !== undefined) await revoke(context, name, options.revoke);
      else await invite(context, name, options.for);
    });
}

async function invite(
  context: CommandContext,
  name: string | undefined,
  guest: string | undefined,
): Promise<void> {
  const client = await context.client();
  const { worker, url, code, expiresAt, pin } = await client.inviteObserver(name, guest);
  const pinned = pin === undefined ? '' : ` --pin ${pin}`;
  const command = `teletrain connect ${url}${pinned} --code ${code}`;
  const { output } = context;
  if (output.json) {
    output.document({ worker, url, code, expiresAt, command });
    return;
  }
  output.line(command);
  const until = new Date(expiresAt).toTimeString().slice(0, 5);
  output.notice(`It works once, on another machine, until ${until}.`);
  if (isLoopback(url)) {
    output.notice(
      'This address is of this machine only: another one needs a tunnel, and its address there in place of this.',
    );
  }
}

async function list(context: CommandContext, name: string | undefined): Promise<void> {
  const { worker, observers } = await (await context.client()).observers(name);
  const { output } = context;
  if (output.json) output.document({ worker, observers });
  else if (observers.length === 0) {
    output.line(`Nobody observes ${worker}. "teletrain share ${worker}" lets a machine do so.`);
  } else for (const line of observerTable(observers, Date.now())) output.line(line);
}

async function revoke(
  context: CommandContext,
  name: string | undefined,
  given: string,
): Promise<void> {
  const client = await context.client();
  const { worker, observer } = await client.revokeObserver(given, name);
  const { output } = context;
  if (output.json) output.document({ worker, revoked: observer });
  else output.line(`"${observer.name}" observes ${worker} no more.`);
}

function observerTable(observers: readonly Observer[], now: number): string[] {
  const rows = observers.map(({ id, name, client, pairedAt, connections }) => [
    name,
    client,
    formatAgo(now - pairedAt),
    connections > 0 ? 'connected' : '',
    id,
  ]);
  return formatTable(['observer', 'machine', 'paired', 'now', 'id'], rows);
}
