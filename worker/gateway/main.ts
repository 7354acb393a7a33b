import { exitCodes, TeletrainError } from '../../shared/errors.ts';
import { keepYoungGenerationSmall } from '../../shared/small-young-generation.ts';
import { diskTrouble } from '../../shared/system-errors.ts';
import { startGateway } from './gateway.ts';
import { parseWorkerOptions, usage } from './options.ts';
import { Output } from './output.ts';
import { WorkerRunningError } from './worker-lock.ts';

/**
 * The worker's program: options in, a gateway that runs until it is told to end, an exit code out.
 * What it prints with `--json` is described in PROTOCOL.md, "Starting a worker".
 */
keepYoungGenerationSmall();
process.exitCode = await main(process.argv.slice(2));
// Nothing should be left that keeps it alive; if something is, it does not for long.
setTimeout(() => process.exit(), 2_000).unref();

async function main(args: readonly string[]): Promise<number> {
  const asJson = args.includes('--json');
  let output = new Output(process.stdout, { json: asJson, status: false });
  try {
    const options = parseWorkerOptions(args);
    if (options === 'help') {
      process.stdout.write(usage);
      return exitCodes.done;
    }
    output = new Output(process.stdout, options);
    const gateway = await startGateway(options, output);
    process.on('SIGUSR2', () => gateway.showNewCode());
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      let told = false;
      process.on(signal, () => {
        // Twice means now: the engine ends with this process.
        if (told) process.exit(exitCodes.interrupted);
        told = true;
        gateway.stop(`it received ${signal}`);
      });
    }
    await gateway.ended;
    output.end();
    return exitCodes.done;
  } catch (error) {
    const told = error instanceof TeletrainError ? error : diskTrouble(error);
    if (!told) throw error;
    output.error(told, told instanceof WorkerRunningError ? { worker: told.lock } : {});
    return told.exitCode;
  }
}
