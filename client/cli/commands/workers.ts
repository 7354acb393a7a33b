import type { Command } from 'commander';
import { TeletrainError } from '../../../shared/errors.ts';
import type { TeletrainClient, WorkerReference } from '../../session/types.ts';
import type { CommandContext } from '../context.ts';
import { example } from '../options.ts';
import { engineText } from '../run-text.ts';
import { formatTable } from '../table.ts';

export function addWorkers(program: Command, context: CommandContext): void {
  const workers = program
    .command('workers')
    .summary('list, stop or forget workers')
    .description('List the workers this machine is paired with, and ask each how it is.')
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
Examples:
  teletrain workers
  teletrain workers stop local
  teletrain workers forget colab`,
    )
    .action(async () => {
      const client = await context.client();
      const statuses = await Promise.all(
        (await client.workers()).map((worker) => askStatus(client, worker)),
      );
      const { output } = context;
      if (output.json) output.document({ workers: statuses });
      else if (statuses.length === 0)
        output.line('No workers yet. The local one is started when a run needs it.');
      else for (const line of workerTable(statuses)) output.line(line);
    });
  workers
    .command('stop')
    .summary('end a worker')
    .description('End a worker; a run that is active there leaves a checkpoint first.')
    .argument('<name>', 'as "teletrain workers" lists it; local for the one on this machine')
    .option('--json', 'one document')
    .addHelpText('after', example('workers stop local'))
    .action(async (name: string) => {
      const client = await context.client();
      await client.stopWorker(name);
      if (context.output.json) context.output.document({ worker: name, stopped: true });
      else context.output.line(`${name} is stopped.`);
    });
  workers
    .command('forget')
    .summary('drop a pairing')
    .description("Forget a worker's address and token; the worker itself goes on.")
    .argument('<name>', 'as "teletrain workers" lists it')
    .option('--json', 'one document')
    .addHelpText('after', example('workers forget colab'))
    .action(async (name: string) => {
      const client = await context.client();
      await client.forgetWorker(name);
      if (context.output.json) context.output.document({ worker: name, forgotten: true });
      else context.output.line(`${name} is forgotten.`);
    });
}

type WorkerInfo = Awaited<ReturnType<TeletrainClient['workerInfo']>>;

export interface WorkerStatus {
  readonly worker: WorkerReference;
  readonly info?: WorkerInfo;
  readonly error?: { code: string; message: string; hint: string };
}

/** A worker that does not answer is a line in the list, not the list's failure. */
async function askStatus(client: TeletrainClient, worker: WorkerReference): Promise<WorkerStatus> {
  try {
    return { worker, info: await client.workerInfo(worker.name, { glance: true }) };
  } catch (error) {
    if (error instanceof TeletrainError) return { worker, error: error.toJSON() };
    throw error;
  }
}

/** One row a worker; of one that could not be asked what happened and what to do stands below them. */
export function workerTable(statuses: readonly WorkerStatus[]): string[] {
  const rows = statuses.map(({ worker, info, error }) => [
    worker.name,
    worker.url,
    info ? `${Math.max(1, Math.round(info.roundTripMs))} ms` : '-',
    info ? (info.activeRun ?? 'idle') : error?.code === 'worker-lost' ? 'no answer' : 'refused',
    info ? controlText(info) : '',
    info?.engine ? engineText(info.engine) : '',
  ]);
  const troubles = statuses.flatMap(({ worker, error }) =>
    error ? [`${worker.name}: ${error.message} ${error.hint}`] : [],
  );
  return [
    ...formatTable(['worker', 'address', 'round trip', 'run', 'control', 'engine'], rows),
    ...troubles,
  ];
}

/** Who may change things there: this machine, another by its name, or whoever asks first. */
function controlText({ role, control }: WorkerInfo): string {
  const holder = control?.holder;
  const who = control?.yours ? 'here' : holder?.connected ? holder.name : 'free';
  if (role === 'observe') return who === 'free' ? 'read-only' : `read-only, ${who}`;
  return control ? who : '';
}
