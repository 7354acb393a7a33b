import { cpus, freemem, totalmem } from 'node:os';
import type { RunStatus } from '../../../shared/events.ts';
import { findProgram, runCommand } from '../../native/command.ts';
import { findGpu } from '../../native/gpu.ts';

type Gauges = RunStatus['gauges'];

/** nvidia-smi takes up to a second on a busy machine; its numbers are asked for this often. */
const gpuPeriodMs = 2_000;

/** Reads the machine's gauges. CPU load is the mean since the reading before. */
export class GaugeReader {
  #cpu = cpuTimes();
  #gpu: Gauges['gpu'];
  #gpuTimer: NodeJS.Timeout | undefined;
  readonly #liveTensors: () => number;

  constructor(liveTensors: () => number, device: 'cpu' | 'gpu') {
    this.#liveTensors = liveTensors;
    if (device === 'gpu') this.#watchGpu();
  }

  read(): Gauges {
    const cpu = cpuTimes();
    const total = cpu.total - this.#cpu.total;
    const busy = cpu.busy - this.#cpu.busy;
    this.#cpu = cpu;
    return {
      liveTensors: this.#liveTensors(),
      engineMemoryBytes: process.memoryUsage.rss(),
      systemMemoryBytes: totalmem(),
      systemMemoryUsedBytes: totalmem() - freemem(),
      cpu: total > 0 ? Math.min(1, Math.max(0, busy / total)) : 0,
      ...(this.#gpu && { gpu: this.#gpu }),
    };
  }

  close(): void {
    clearTimeout(this.#gpuTimer);
    this.#gpuTimer = undefined;
  }

  #watchGpu(): void {
    const found = findGpu();
    const again = () => {
      this.#gpuTimer = setTimeout(async () => {
        const search = await found;
        this.#gpu = 'gpu' in search ? await readGpu(search.gpu.uuid) : undefined;
        if (this.#gpuTimer) again();
      }, gpuPeriodMs);
      this.#gpuTimer.unref();
    };
    again();
  }
}

function cpuTimes() {
  const sum = { busy: 0, total: 0 };
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.irq + times.idle;
    sum.total += all;
    sum.busy += all - times.idle;
  }
  return sum;
}

/** Of the GPU that trains. Undefined when nvidia-smi does not tell. */
async function readGpu(uuid: string): Promise<Gauges['gpu']> {
  const program = await findProgram(['nvidia-smi', '/opt/bin/nvidia-smi']);
  if (program === undefined) return undefined;
  const { stdout } = await runCommand(program, [
    `--id=${uuid}`,
    '--query-gpu=utilization.gpu,memory.used,memory.total',
    '--format=csv,noheader,nounits',
  ]);
  return parseGpuLine(stdout);
}

/** `37, 1024, 15360`: per cent, MiB, MiB. */
export function parseGpuLine(text: string): Gauges['gpu'] {
  const [utilisation, used, total] = (text.split('\n')[0] ?? '').split(',').map(Number);
  if (![utilisation, used, total].every(Number.isFinite)) return undefined;
  const mebibyte = 1024 * 1024;
  return {
    utilisation: (utilisation ?? 0) / 100,
    memoryUsedBytes: (used ?? 0) * mebibyte,
    memoryBytes: (total ?? 0) * mebibyte,
  };
}
