import { access } from 'node:fs/promises';
import { findProgram, runCommand } from './command.ts';

/** A GPU as the driver describes it, whether or not the engine can use it. */
export interface GpuFound {
  readonly name: string;
  readonly memoryBytes: number;
  readonly driverVersion: string;
  /** e.g. `GPU-5c1f0e2a-…`: by it the driver tells one GPU from the others. */
  readonly uuid: string;
}

export type GpuSearch = { readonly gpu: GpuFound } | { readonly missing: string };

/**
 * Asks NVIDIA's driver for the GPU that CUDA gives a process of this environment first: this
 * machine's first, or the one that CUDA_VISIBLE_DEVICES names first. Where there is none, says
 * what is missing.
 */
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
  const query = [
    '--query-gpu=name,memory.total,driver_version,uuid',
    '--format=csv,noheader,nounits',
  ];
  const result = await runCommand(program, query, { environment });
  const gpus = result.status === 0 ? parseGpus(result.stdout) : [];
  if (gpus.length === 0) {
    return {
      missing: 'nvidia-smi finds no GPU: check the driver, or choose a GPU runtime in Colab',
    };
  }
  const visible = environment.CUDA_VISIBLE_DEVICES;
  const gpu = firstVisible(gpus, visible);
  if (gpu === undefined) {
    return { missing: `CUDA_VISIBLE_DEVICES is "${visible}", which hides every GPU: unset it` };
  }
  return { gpu };
}

/** `Tesla T4, 15360, 580.82.07, GPU-5c1f…`, one a line: name, MiB, driver, UUID. */
function parseGpus(text: string): GpuFound[] {
  return text.split('\n').flatMap((line) => {
    const [name, mebibytes, driverVersion, uuid] = line.trim().split(', ');
    if (!name || !mebibytes || !driverVersion || !uuid) return [];
    return [{ name, memoryBytes: Number(mebibytes) * 2 ** 20, driverVersion, uuid }];
  });
}

/**
 * The GPU that CUDA numbers 0 (CUDA C Programming Guide, CUDA_VISIBLE_DEVICES): its list holds
 * numbers or unique beginnings of UUIDs, and ends before the first that is neither. Numbers are
 * taken as nvidia-smi's, which are CUDA's where its GPUs are alike or CUDA_DEVICE_ORDER is
 * PCI_BUS_ID. @returns undefined where the list hides all of them.
 */
function firstVisible(gpus: readonly GpuFound[], visible: string | undefined) {
  if (visible === undefined) return gpus[0];
  const first = (visible.split(',')[0] ?? '').trim();
  if (/^\d+$/.test(first)) return gpus[Number(first)];
  if (first.startsWith('GPU-')) {
    const matching = gpus.filter(({ uuid }) => uuid.startsWith(first));
    return matching.length === 1 ? matching[0] : undefined;
  }
  // `MIG-GPU-<the GPU's UUID>/…` names a part of a GPU; newer drivers name the part alone.
  if (first.startsWith('MIG-')) {
    return gpus.find(({ uuid }) => first.startsWith(`MIG-${uuid}`)) ?? gpus[0];
  }
  return undefined;
}
