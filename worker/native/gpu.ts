import { access } from 'node:fs/promises';
import { findProgram, runCommand } from './command.ts';

/** A GPU as the driver describes it, whether or not the engine can use it. */
export interface GpuFound {
  readonly name: string;
  readonly memoryBytes: number;
  readonly driverVersion: string;
}

export type GpuSearch = { readonly gpu: GpuFound } | { readonly missing: string };

/** Asks NVIDIA's driver for this machine's first GPU; where there is none, says what is missing. */
export async function findGpu(environment: NodeJS.ProcessEnv = process.env): Promise<GpuSearch> {
  const program = await findProgram(['nvidia-smi', '/opt/bin/nvidia-smi'], environment);
  const hasDevice = await access('/dev/nvidiactl').then(
    () => true,
    () => false,
  );
  if (program === undefined) {
    return {
      missing: hasDevice
        ? 'an NVIDIA device is there, but no nvidia-smi: install the driver’s tools'
        : 'no NVIDIA GPU or driver on this machine: in Colab choose Runtime > Change runtime type > GPU',
    };
  }
  const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader,nounits'];
  const result = await runCommand(program, query, { environment });
  const [name, mebibytes, driverVersion] = (result.stdout.trim().split('\n')[0] ?? '').split(', ');
  if (result.status !== 0 || !name || !mebibytes || !driverVersion) {
    return {
      missing: 'nvidia-smi finds no GPU: check the driver, or choose a GPU runtime in Colab',
    };
  }
  return { gpu: { name, memoryBytes: Number(mebibytes) * 2 ** 20, driverVersion } };
}
