import { type Arithmetic, pixelRnnArithmetic, sentimentArithmetic } from './arithmetic.ts';
import type { InputFolder } from './inputs.ts';
import type { ParticipantName } from './participants.ts';
import type { Workload, WorkloadOf } from './workload.ts';

export type Target =
  /** Ours at least so many times as fast; `best peer` is the fastest of those that took part. */
  | { readonly than: ParticipantName | 'best peer'; readonly atLeast: number }
  /** Our time divided by the arithmetic limit. */
  | { readonly withinLimit: number }
  /** Our time. */
  | { readonly atMostMs: number };

export interface BenchmarkCase {
  readonly name: string;
  readonly title: string;
  /** What one time is of. */
  readonly unit: string;
  /** Peers in the order in which they are printed. */
  readonly peers: readonly ParticipantName[];
  /** What a participant prepares. */
  workload(inputs: InputFolder, participant: ParticipantName): Promise<Workload>;
  /** A step's time is multiplied by this to give that of one unit. Default: 1. */
  scale?(participant: ParticipantName): number;
  readonly arithmetic?: Arithmetic;
  readonly targets: readonly Target[];
  /** Played only when it is named. */
  readonly onlyNamed?: boolean;
}

type Network<Kind extends Workload['kind']> = Omit<
  WorkloadOf<Kind>,
  'kind' | 'inputs' | 'batches' | 'learningRate' | 'clipNorm'
>;

/** Different batches, so that no participant finds a batch in its caches. */
const batches = 4;

function sentiment(
  name: string,
  title: string,
  given: Pick<Network<'sentiment'>, 'layer'> & Partial<Network<'sentiment'>>,
  targets: readonly Target[],
): BenchmarkCase {
  const network: Network<'sentiment'> = {
    ...{ layers: 1, units: 32, batch: 128, timesteps: 500, vocabulary: 10_000 },
    ...{ embeddingUnits: 32, ...given },
  };
  return {
    name,
    title: `${title}; embedding 10,000 x 32, Dense(1), RMSprop, batch ${network.batch} x ${network.timesteps}`,
    unit: 'training step',
    peers: ['keras', 'pytorch', 'pytorch-default', 'tfjs-layers', 'operations', 'earlier'],
    workload: async (inputs) => ({
      ...{ kind: 'sentiment', ...network, batches, learningRate: 0.001 },
      inputs: await inputs.reviews(name, { ...network, batches }),
    }),
    arithmetic: sentimentArithmetic(network),
    targets,
  };
}

function pixelRnn(
  name: string,
  network: Network<'pixel-rnn'>,
  targets: readonly Target[],
): BenchmarkCase {
  const { layers, units, batch } = network;
  return {
    name,
    title: `PixelRNN, ${layers === 1 ? 'one layer' : `${layers} layers`}, h = ${units}, Adam, batch ${batch} x 28 x 28`,
    unit: 'training step',
    peers: ['jax', 'operations', 'earlier'],
    workload: async (inputs) => ({
      ...{ kind: 'pixel-rnn', ...network, batches, learningRate: 0.002, clipNorm: 1 },
      inputs: await inputs.pictures(name, batches * batch),
    }),
    arithmetic: pixelRnnArithmetic(network),
    targets,
  };
}

const rows = 28;
const givenRows = 14;

/** Half digits are given and the other halves drawn. */
const completion: BenchmarkCase = {
  name: 'completion',
  title: 'completing 100 half digits; PixelRNN, one layer, h = 32',
  unit: 'grid of 100',
  peers: ['naive', 'pytorch', 'pytorch-default', 'earlier'],
  workload: async (inputs, participant) => ({
    ...{ kind: 'completion', layers: 1, units: 32, outputUnits: 32, pictures: 100, givenRows },
    naive: participant === 'naive',
    inputs: await inputs.pictures('completion', 100),
  }),
  scale: (participant) => (participant === 'naive' ? rows - givenRows : 1),
  targets: [
    { than: 'naive', atLeast: 200 },
    { than: 'pytorch', atLeast: 10 },
  ],
};

const epoch: BenchmarkCase = {
  name: 'epoch',
  title: "the report's run on the real reviews: 20,000 trained and 5,000 validated",
  unit: 'epoch',
  peers: ['earlier'],
  workload: async () => ({ kind: 'epoch', recipe: 'imdb-simple-rnn' }),
  targets: [{ atMostMs: 10_000 }],
};

const dispatched = 20_000;

const dispatch: BenchmarkCase = {
  name: 'dispatch',
  title: 'one small operation: adding two vectors of four numbers',
  unit: 'operation',
  peers: ['tfjs-node', 'addon', 'earlier'],
  workload: async (_inputs, participant) => ({
    ...{ kind: 'dispatch', operations: dispatched },
    through: participant === 'addon' ? 'addon' : 'engine',
  }),
  scale: () => 1 / dispatched,
  // What cannot be told from equal counts as no worse.
  targets: [{ than: 'earlier', atLeast: 0.95 }],
};

/** Shows in seconds that everything works; its figures say nothing of training. */
const tiny: BenchmarkCase = {
  ...sentiment(
    'tiny',
    'one SimpleRNN(8)',
    { layer: 'SimpleRNN', units: 8, batch: 8, timesteps: 10 },
    [],
  ),
  onlyNamed: true,
};

/** The cases of the table in README, in its order, and those that are only played by name. */
export const benchmarkCases: readonly BenchmarkCase[] = [
  sentiment(
    'report-stack',
    "the report's stack: four SimpleRNN(32)",
    { layer: 'SimpleRNN', layers: 4 },
    [{ than: 'keras', atLeast: 5 }, { than: 'pytorch', atLeast: 8 }, { withinLimit: 1.8 }],
  ),
  sentiment('simple-rnn', 'one SimpleRNN(32)', { layer: 'SimpleRNN' }, [
    { than: 'keras', atLeast: 4 },
  ]),
  sentiment('lstm', 'one LSTM(32)', { layer: 'LSTM' }, [
    { than: 'keras', atLeast: 3 },
    { than: 'pytorch', atLeast: 5 },
    { withinLimit: 1.6 },
  ]),
  sentiment('gru', 'one GRU(32)', { layer: 'GRU' }, [{ than: 'keras', atLeast: 3 }]),
  sentiment('lstm-256', 'one LSTM(256)', { layer: 'LSTM', units: 256, timesteps: 100 }, [
    { than: 'best peer', atLeast: 1.2 },
  ]),
  pixelRnn('pixel-rnn', { layers: 1, units: 32, outputUnits: 32, batch: 64 }, [
    { than: 'jax', atLeast: 4 },
    { withinLimit: 2 },
  ]),
  pixelRnn('pixel-rnn-deep', { layers: 7, units: 16, outputUnits: 32, batch: 16 }, [
    { than: 'jax', atLeast: 4 },
  ]),
  completion,
  epoch,
  dispatch,
  tiny,
];
