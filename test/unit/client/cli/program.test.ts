import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { workerArguments } from '../../../../client/cli/commands/worker.ts';
import type { CommandContext } from '../../../../client/cli/context.ts';
import { Output } from '../../../../client/cli/output.ts';
import { createProgram } from '../../../../client/cli/program.ts';
import { parseWorkerOptions, usage } from '../../../../worker/gateway/options.ts';

const context: CommandContext = {
  output: new Output({ json: false }),
  interactive: false,
  client: () => Promise.reject(new Error('help needs no client')),
  interruption: () => new AbortController().signal,
  exitCode: 0,
};
const program = createProgram(context);

function all(command: Command): Command[] {
  return [command, ...command.commands.flatMap(all)];
}

/** What `--help` prints, the text after the options too. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

describe('every command', () => {
  it.each(
    all(program)
      .filter((command) => command !== program && command.name() !== 'help')
      .map((command) => [command.name(), command] as const),
  )('%s has --json, a description and an example in its help', (_, command) => {
    const help = helpOf(command);
    expect(help).toContain('--json');
    expect(help).toMatch(/Examples?:\n {2}teletrain /);
    expect(command.description()).toMatch(/\.$/);
  });

  it('is in the help of the program, with the exit codes', () => {
    const help = helpOf(program);
    for (const command of program.commands) expect(help).toContain(`  ${command.name()}`);
    expect(help).toContain(
      '0 done, 1 failed, 2 usage, 3 worker lost, 4 stopped early, 130 interrupted',
    );
  });
});

describe('teletrain help', () => {
  const help = (...names: string[]) => {
    let text = '';
    const asked = createProgram(context);
    for (const command of all(asked))
      command.exitOverride().configureOutput({
        writeOut: (part) => {
          text += part;
        },
      });
    return asked.parseAsync(['help', ...names], { from: 'user' }).then(
      () => text,
      (error: Error) => (text === '' ? Promise.reject(error) : text),
    );
  };

  it('prints the help of the program, of a command and of a command of a command', async () => {
    expect(await help()).toMatch(/^Usage: teletrain \[options\]/);
    expect(await help('export')).toMatch(/^Usage: teletrain export/);
    expect(await help('checkpoints', 'get')).toMatch(/^Usage: teletrain checkpoints get/);
  });

  it('says that there is no such command, and which one was meant', async () => {
    await expect(help('nope')).rejects.toMatchObject({
      message: 'There is no command "nope".',
      hint: 'See "teletrain --help" for the commands.',
    });
    await expect(help('exp')).rejects.toMatchObject({ hint: 'Did you mean "teletrain export"?' });
  });
});

describe('teletrain worker', () => {
  const worker = program.commands.find((command) => command.name() === 'worker') ?? program;
  const lines = usage.split('\n').filter((line) => line.startsWith('  --'));

  it.each(lines.map((line) => line.trim().split(' ', 1)))(
    'takes %s as the worker itself does',
    (option) => {
      expect(worker.options.map(({ long }) => long)).toContain(option);
    },
  );

  it('says the defaults that the worker says', () => {
    const help = helpOf(worker).replace(/\s+/g, ' ');
    for (const value of ['8787', '127.0.0.1', '0'])
      expect(help).toMatch(new RegExp(`\\(default:? ${value.replaceAll('.', '\\.')}[),]`));
  });

  it('gives the worker every option that it was given', () => {
    const args = workerArguments({
      port: 0,
      host: '::1',
      name: 'box',
      home: '/a-home',
      tokenFile: 'token',
      tlsCert: 'chain.pem',
      tlsKey: 'key.pem',
      allowOrigin: ['https://page.example'],
      dataDir: '/data',
      requireGpu: true,
      idleMinutes: 7,
      recover: false,
      parentWatch: true,
      status: true,
      json: true,
    });
    expect(parseWorkerOptions(args, {})).toMatchObject({
      ...{ port: 0, host: '::1', name: 'box', home: '/a-home', tokenFile: 'token' },
      ...{ dataDir: '/data', requireGpu: true, idleMinutes: 7, recover: false },
      ...{ parentWatch: true, status: true, json: true },
      tls: { kind: 'files', certificate: 'chain.pem', key: 'key.pem' },
      allowedOrigins: ['https://page.example'],
    });
    expect(parseWorkerOptions(workerArguments({ recover: true }), {})).toEqual(
      parseWorkerOptions([], {}),
    );
  });
});

it('the commands are those of the design', () => {
  const names = program.commands.map((command) => command.name());
  expect(names).toEqual(
    expect.arrayContaining([
      ...['run', 'attach', 'runs', 'show', 'pause', 'stop', 'resume', 'change', 'checkpoints'],
      ...['worker', 'connect', 'workers', 'share', 'take', 'notebook', 'doctor', 'clean', 'export'],
    ]),
  );
});
