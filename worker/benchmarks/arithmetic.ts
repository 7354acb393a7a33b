import type { WorkloadOf } from './workload.ts';

/**
 * The floating-point operations of a training step's matrix products, of which a multiplication
 * and an addition are two. Forward is one product, backward two more: the gradient of its input and
 * of its weights. Element by element work is left out, so that no program can reach the limit.
 */
export interface Arithmetic {
  readonly operations: number;
  readonly formula: string;
}

const gates = { SimpleRNN: 1, GRU: 3, LSTM: 4 } as const;

export function sentimentArithmetic(
  workload: Pick<
    WorkloadOf<'sentiment'>,
    'layer' | 'layers' | 'units' | 'batch' | 'timesteps' | 'embeddingUnits'
  >,
): Arithmetic {
  const { layer, layers, units, batch, timesteps, embeddingUnits } = workload;
  const features = embeddingUnits + (layers - 1) * units;
  const operations = 6 * batch * timesteps * gates[layer] * units * (features + layers * units);
  return {
    operations,
    formula:
      layers === 1
        ? `6 · batch · timesteps · ${gates[layer]} · units · (features + units)`
        : `6 · batch · timesteps · ${gates[layer]} · units · (features + units), summed over the layers`,
  };
}

const cells = 28 * 28;
/** Of the masked 7x7 convolution. */
const liveTaps = 24;

export function pixelRnnArithmetic({
  layers,
  units,
  outputUnits,
  batch,
}: Pick<WorkloadOf<'pixel-rnn'>, 'layers' | 'units' | 'outputUnits' | 'batch'>): Arithmetic {
  const maps = 2 * units;
  // Two directions; each sees its input's maps, and the pixels above and beside.
  const directions = 2 * 4 * units * (maps + 2 * units);
  const upsampling = units * maps;
  const output = maps * outputUnits + outputUnits * outputUnits + outputUnits;
  // The pixels themselves need no gradient.
  const input = (4 / 6) * liveTaps * maps;
  const operations = 6 * cells * batch * (layers * (directions + upsampling) + output + input);
  return {
    operations,
    formula:
      '6 · 784 · batch · (layers · (2 · 4h · 4h + h · 2h) + the 1x1 convolutions) and 4 · 784 · batch · 24 · 2h',
  };
}

/** Of a layer alone, whose features are as wide as its units; of a Diagonal LSTM one direction. */
export function layerOperations({
  layer,
  batch,
  timesteps,
  units,
}: Omit<WorkloadOf<'layer'>, 'kind'>): number {
  if (layer === 'DiagonalLSTM') return 6 * batch * timesteps * 4 * units * 4 * units;
  return 6 * batch * timesteps * gates[layer] * units * 2 * units;
}
