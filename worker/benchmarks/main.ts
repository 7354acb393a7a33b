/**
 * Run as a process of its own by `teletrain bench`: takes a `BenchmarkRequest` as JSON in its one
 * argument, and prints one JSON document, a `BenchmarkAnswer`, on standard output; progress goes to
 * standard error. When standard input ends, or on Ctrl-C, every process that it started is ended.
 */
import { benchmarkRequestSchema } from '../../shared/benchmark-report.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { listBenchmarks, measure } from './measure.ts';
import { sweep } from './sweep.ts';

const controller = new AbortController();
const stop = () => controller.abort();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
process.stdin.on('end', stop).on('error', stop).resume();

const request = benchmarkRequestSchema.parse(JSON.parse(process.argv[2] ?? ''));
try {
  const options = {
    onProgress: (message: string) => process.stderr.write(`${message}\n`),
    signal: controller.signal,
  };
  const answer = request.list
    ? { list: listBenchmarks() }
    : request.sweep
      ? { sweep: await sweep(request, options) }
      : { report: await measure(request, options) };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
} catch (error) {
  if (!controller.signal.aborted) {
    if (!(error instanceof TeletrainError)) throw error;
    const { exitCode } = error;
    process.stdout.write(`${JSON.stringify({ error: { ...error.toJSON(), exitCode } })}\n`);
  }
}
process.stdin.destroy();
