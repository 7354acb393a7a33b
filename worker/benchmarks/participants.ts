import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { workerFolders } from '../folders.ts';
import { engineEnvironment } from '../native/environment.ts';
import type { ParticipantProgram } from './participant.ts';

export const participantTitles = {
  teletrain: 'teletrain',
  operations: "teletrain on TensorFlow's operations",
  earlier: 'an earlier teletrain',
  naive: "teletrain's naive sampler",
  addon: 'the addon, called directly',
  keras: 'Keras',
  pytorch: 'PyTorch',
  'pytorch-default': 'PyTorch as it comes, with denormals',
  jax: 'JAX',
  'tfjs-layers': 'stock tfjs-layers',
  'tfjs-node': 'stock tfjs-node',
  product: 'matrix product',
} as const;

/** What is no peer but ours in another form. */
export const kinOfOurs: readonly string[] = [
  'teletrain',
  'operations',
  'earlier',
  'naive',
  'addon',
];

export type ParticipantName = keyof typeof participantTitles;

export interface ParticipantOptions {
  /** The Python that has the peers. */
  readonly python?: string | undefined;
  /** Folder of another clone of teletrain. */
  readonly earlier?: string | undefined;
}

export interface Unavailable {
  readonly reason: string;
  readonly remedy: string;
}

/** In the folder of peers, with its arguments. */
const peerScripts = {
  keras: ['keras_peer.py'],
  pytorch: ['pytorch_peer.py'],
  'pytorch-default': ['pytorch_peer.py', '--default'],
  jax: ['jax_peer.py'],
} as const;

const isCompiled = import.meta.url.endsWith('.js');
const here = dirname(fileURLToPath(import.meta.url));

/** Where the peers' Python lies, also beside a compiled worker. */
const peersFolder = isCompiled
  ? join(here, '..', '..', '..', 'worker', 'benchmarks', 'peers')
  : join(here, 'peers');

/** Where the peers' environment is made unless another Python is named. */
const peersEnvironment = () => join(workerFolders().cache, 'benchmark-peers');

/** The one line that installs the Python peers into an environment of their own. */
function installCommand(): string {
  const environment = peersEnvironment();
  return `python3 -m venv ${environment} && ${join(environment, 'bin', 'pip')} install -r ${join(peersFolder, 'requirements.txt')}`;
}

/** The Python that was named, else the one in the peers' own environment. */
export function findPython(given: string | undefined): string | undefined {
  if (given !== undefined) return given;
  const own = join(peersEnvironment(), 'bin', 'python');
  return existsSync(own) ? own : undefined;
}

/** How a participant is started, or why it cannot be. */
export async function participantProgram(
  name: ParticipantName,
  { python, earlier }: ParticipantOptions,
  threads: number,
): Promise<ParticipantProgram | Unavailable> {
  const title = participantTitles[name];
  // A GPU would make figures of one participant that stand for nothing beside another's.
  const onCpu = { ...process.env, CUDA_VISIBLE_DEVICES: '-1', JAX_PLATFORMS: 'cpu' };
  const environment: NodeJS.ProcessEnv = {
    ...onCpu,
    ...(await engineEnvironment(onCpu)),
    TF_NUM_INTRAOP_THREADS: String(threads),
    OMP_NUM_THREADS: String(threads),
  };
  const node = (program: string, ...args: string[]): ParticipantProgram => ({
    name,
    title,
    command: process.execPath,
    args: [join(here, program, `main.${isCompiled ? 'js' : 'ts'}`), ...args],
    environment,
    remedy: 'run teletrain doctor, which says what is wrong',
  });
  switch (name) {
    case 'teletrain':
    case 'naive':
    case 'addon':
    case 'product':
      return node('teletrain');
    case 'operations':
      return node('teletrain', '--implementation', 'operations');
    case 'earlier':
      if (earlier === undefined) {
        return { reason: 'no other clone was named', remedy: 'give --earlier FOLDER' };
      }
      return { ...node('teletrain', '--of', earlier), title: `teletrain in ${basename(earlier)}` };
    case 'tfjs-layers':
    case 'tfjs-node':
      return node('stock-tfjs');
    default: {
      if (python === undefined) {
        return { reason: 'no Python with it is known', remedy: installCommand() };
      }
      const [script, ...args] = peerScripts[name];
      return {
        ...{ name, title, environment, command: python },
        args: ['-B', join(peersFolder, script), ...args],
        remedy: installCommand(),
      };
    }
  }
}
