import type { Target } from './target.ts';
import { client } from './targets/client.ts';
import { openFiles } from './targets/files.ts';
import { frames } from './targets/frames.ts';
import { tensorLink } from './targets/tensor-link.ts';
import { openTensors } from './targets/tensors.ts';
import { websocketBytes } from './targets/websocket-bytes.ts';
import { openWorker } from './targets/worker.ts';

/** What is opened is closed by whoever asked. */
const opening: Readonly<Record<string, () => Promise<Target>>> = {
  frames: async () => frames,
  worker: openWorker,
  tensors: openTensors,
  files: openFiles,
  client: async () => client,
  'tensor-link': async () => tensorLink,
  'websocket-bytes': async () => websocketBytes,
};

export const targetNames = Object.keys(opening);

/** Everything that is fuzzed, or one of it by its name. */
export async function openTargets(name?: string): Promise<readonly Target[]> {
  const wanted = targetNames.filter((known) => name === undefined || known === name);
  if (wanted.length === 0) throw new Error(`targets are ${targetNames.join(', ')}`);
  return await Promise.all(wanted.map(async (known) => await opening[known]?.())).then((targets) =>
    targets.filter((target) => target !== undefined),
  );
}
