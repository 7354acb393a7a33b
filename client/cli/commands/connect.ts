import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { isLoopback, parseConnectionUrl } from '../../../shared/connection-url.ts';
import { UsageError } from '../../../shared/errors.ts';
import type { CommandContext } from '../context.ts';

export function addConnect(program: Command, context: CommandContext): void {
  program
    .command('connect')
    .summary('pair with a worker')
    .description(
      'Pair with a worker by the one-time code that it printed, and give it a name for --on.',
    )
    .argument('<url>', 'its address: ws://127.0.0.1:8787, wss://name.trycloudflare.com')
    .option(
      '--code <code>',
      'the one-time code; asked for, or read from standard input, when left out',
    )
    .option(
      '--pin <pin>',
      'trust the worker by its key alone: the pin that a worker with a certificate of its own prints',
    )
    .option('--name <name>', 'what to call it here (default: the name it gives itself)')
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
The code is exchanged for a token, kept in a file that only you can read.

Examples:
  teletrain connect ws://127.0.0.1:8787 --code K7QM-2XPD --name colab
  teletrain run imdb-lstm --on colab`,
    )
    .action(async (text: string, options: { code?: string; name?: string; pin?: string }) => {
      const url = parseConnectionUrl(text);
      const code = (options.code ?? (await readCode(context))).trim();
      if (code === '') {
        throw new UsageError(
          'no-code',
          'No one-time code was given.',
          'The worker prints it when it starts; give it with --code.',
        );
      }
      if (url.startsWith('ws:') && !isLoopback(url)) {
        context.output.notice(
          'What is sent to this address is not encrypted: whoever is on the way can read it, the token too.',
        );
      }
      const client = await context.client();
      const worker = await client.connectWorker(url, {
        code,
        signal: context.interruption(),
        ...(options.name === undefined ? {} : { name: options.name }),
        ...(options.pin === undefined ? {} : { pin: options.pin }),
      });
      if (context.output.json) context.output.document({ worker });
      else {
        context.output.line(`Connected to ${worker.name} at ${worker.url}`);
        context.output.notice(
          worker.role === 'observe'
            ? 'You may look there and change nothing: "teletrain workers" names the run that trains, "teletrain attach <run>" follows it.'
            : `Train there with "teletrain run <recipe> --on ${worker.name}".`,
        );
      }
    });
}

async function readCode(context: CommandContext): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if (context.interactive)
      return await lines.question('One-time code: ', { signal: context.interruption() });
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
  }
}
