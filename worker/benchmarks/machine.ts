import { loadavg, release, totalmem, type } from 'node:os';
import type { BenchmarkReport } from '../../shared/benchmark-report.ts';
import { version } from '../../shared/version.ts';
import { describeProcessor, threadCount } from '../native/processor.ts';

/**
 * What every document of measurements begins with; call what it returns when all is measured.
 *
 * @returns a function of the versions of what took part
 */
export function beginDocument(
  rounds: number,
): (versions: Readonly<Record<string, string>>) => Omit<BenchmarkReport, 'cases'> {
  const startedAt = new Date();
  const before = load();
  return (versions) => {
    const { model, features } = describeProcessor();
    return {
      ...{ format: 1, version, startedAt: startedAt.toISOString(), rounds },
      seconds: (Date.now() - startedAt.getTime()) / 1000,
      machine: {
        ...{ cpu: model, cpuFeatures: features, threads: threadCount() },
        memoryBytes: totalmem(),
        system: `${type()} ${release()}`,
        load: { before, after: load() },
        versions: { ...versions },
      },
    };
  };
}

const load = (): number => loadavg()[0] ?? 0;
