/**
 * Run as a process of its own by `teletrain bench`: takes a `BenchmarkRequest` as JSON in its one
 * argument, and prints one JSON document, a `BenchmarkAnswer`, on standard output; progress goes to
 * standard error. When standard input ends, or on Ctrl-C, every process that it started is ended.
 */
import { benchmarkRequestSchema } from '../../shared/benchmark-report.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { listBenchmarks, measure } from './measure.ts';

const controller = new AbortController();
const stop = () => controller.abort();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
process.stdin.on('end', stop).on('error', stop).resume();

const request = benchmarkRequestSchema.parse(JSON.parse(process.argv[2] ?? ''));
try {
  const answer = request.list
    ? { list: listBenchmarks() }
    : {
        report: await measure(request, {
          onProgress: (message) => process.stderr.write(`${message}\n`),
          signal: controller.signal,
        }),
      };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
} catch (error) {
  if (!controller.signal.aborted) {
    if (!(error instanceof TeletrainError)) throw error;
    const { exitCode } = error;
    process.stdout.write(`${JSON.stringify({ error: { ...error.toJSON(), exitCode } })}\n`);
  }
}
process.stdin.destroy();
