import { Command, CommanderError } from 'commander';
import { UsageError } from '../../shared/errors.ts';
import { runAlone } from './commands/alone.ts';
import { addAttach } from './commands/attach.ts';
import { addBench } from './commands/bench.ts';
import { addChange } from './commands/change.ts';
import { addCheckpoints } from './commands/checkpoints.ts';
import { addClean } from './commands/clean.ts';
import { addConnect } from './commands/connect.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExport } from './commands/export.ts';
import { addNotebook } from './commands/notebook.ts';
import { addPause } from './commands/pause.ts';
import { addResume } from './commands/resume.ts';
import { addRun } from './commands/run.ts';
import { addRuns } from './commands/runs.ts';
import { addShare } from './commands/share.ts';
import { addShow } from './commands/show.ts';
import { addStop } from './commands/stop.ts';
import { addTake } from './commands/take.ts';
import { addWorker } from './commands/worker.ts';
import { addWorkers } from './commands/workers.ts';
import type { CommandContext } from './context.ts';
import { programVersion } from './installation.ts';

/** The whole command line; parsing it runs the command. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('teletrain')
    .description('Train neural networks on a worker (a Colab GPU, this machine) from a terminal.')
    .option('--version', 'print the version')
    .on('option:version', () => printVersion(context))
    .helpOption('-h, --help', 'print this help')
    // Its own help command ends with nothing but the name of a function where it knows no such command.
    .helpCommand(false)
    .option('--json', 'print JSON: see below')
    .option(
      '--data-dir <folder>',
      'where the local worker finds datasets (default: TELETRAIN_DATA)',
    )
    // An option after a command's name is that command's.
    .enablePositionalOptions()
    .exitOverride()
    // Errors are thrown and printed in one place, run-program.ts.
    .configureOutput({ writeErr: () => {} })
    .addHelpText('after', closingHelp)
    .action(async (options: { dataDir?: string }, command: Command) => {
      const unknown = command.args[0];
      if (unknown !== undefined) throw unknownCommand(unknown, program);
      await runAlone(context, options);
    });
  addRun(program, context);
  addAttach(program, context);
  addRuns(program, context);
  addShow(program, context);
  addPause(program, context);
  addStop(program, context);
  addResume(program, context);
  addChange(program, context);
  addCheckpoints(program, context);
  addExport(program, context);
  addWorker(program, context);
  addConnect(program, context);
  addWorkers(program, context);
  addShare(program, context);
  addTake(program, context);
  addNotebook(program, context);
  addDoctor(program, context);
  addBench(program, context);
  addClean(program, context);
  addHelp(program);
  // Only here, where they are what was taken for a command: the commands refuse them.
  return program.allowExcessArguments();
}

function addHelp(program: Command): void {
  program
    .command('help')
    .summary('print the help of a command')
    .description('Print the help of a command, or of all.')
    .argument('[command...]', 'for example: run, or checkpoints get')
    .action((names: readonly string[]) => {
      let command = program;
      for (const name of names) {
        const found = command.commands.find((candidate) => candidate.name() === name);
        if (!found) throw unknownCommand(name, program);
        command = found;
      }
      command.help();
    });
}

/** In place of the parser's own, which knows no JSON; ends as that one does. */
function printVersion({ output }: CommandContext): never {
  const version = programVersion();
  if (output.json) output.document({ version });
  else output.line(version);
  throw new CommanderError(0, 'commander.version', version);
}

function unknownCommand(name: string, program: Command): UsageError {
  const names = program.commands.map((command) => command.name());
  const near = names.find((known) => known.startsWith(name) || name.startsWith(known));
  return new UsageError(
    'unknown-command',
    `There is no command "${name}".`,
    near ? `Did you mean "teletrain ${near}"?` : 'See "teletrain --help" for the commands.',
  );
}

const closingHelp = `
Without a command: the dashboard; without a terminal, digits-pixel-rnn --quick to its end.

JSON: with --json standard output holds JSON only: one document, or for a followed run one event a
line. An error is {"error": {"code", "message", "hint"}}, there too, as the last line.

Exit codes: 0 done, 1 failed, 2 usage, 3 worker lost, 4 stopped early, 130 interrupted.

Environment: TELETRAIN_HOME (where runs, tokens and caches are kept), TELETRAIN_DATA (folder with
datasets), TELETRAIN_BACKGROUND (dark or light, where the terminal does not say), TELETRAIN_ASCII
(1: plain characters), NO_COLOR.`;
