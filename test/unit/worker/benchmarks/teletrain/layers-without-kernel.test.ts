import { expect, it } from 'vitest';
import { layersWithoutKernel } from '../../../../../worker/benchmarks/teletrain/layers-without-kernel.ts';

const sizes = { batch: 1, timesteps: 1, units: 1 };

it('names those of the timed layers that our kernels do not compute', () => {
  const layers = [
    { layer: 'SimpleRNN', used: 'kernel' },
    { layer: 'LSTM', used: 'block' },
  ] as const;
  const of = (layer: 'SimpleRNN' | 'LSTM') =>
    layersWithoutKernel(layers, { kind: 'layer', layer, ...sizes });
  expect(of('LSTM')).toEqual(['LSTM by block']);
  expect(of('SimpleRNN')).toEqual([]);
  expect(layersWithoutKernel(layers, { kind: 'matrix-product', size: 1 })).toEqual([]);
});
