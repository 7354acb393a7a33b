import { expect, it } from 'vitest';
import { layerLines, layerText, probeRows } from '../../../../client/cli/layer-text.ts';
import type { LayerReport } from '../../../../shared/engine-report.ts';

const lstm: LayerReport = {
  layer: 'LSTM',
  used: 'block',
  implementations: [
    { name: 'kernel', reason: 'our kernels compute on the CPU' },
    {
      name: 'cudnn',
      agrees: false,
      difference: 0.0312,
      reason: 'differs from the reference by 3.1e-2 in the gradient of bias',
    },
    {
      name: 'block',
      agrees: true,
      difference: 2e-7,
      milliseconds: 0.81,
      reason: 'agrees to 2.0e-7, takes 0.81 ms',
    },
    { name: 'composed', agrees: true, reason: 'agrees to 1.0e-7, but not timed' },
  ],
};

it('says what computes a layer, and of each other way on a line of its own why it does not', () => {
  expect(layerLines([lstm])).toEqual([
    "layer       LSTM by TensorFlow's BlockLSTMV2: agrees to 2.0e-7, takes 0.81 ms",
    '  - kernel     our kernels compute on the CPU',
    '  - cudnn      differs from the reference by 3.1e-2 in the gradient of bias',
    '  - composed   agrees to 1.0e-7, but not timed',
  ]);
});

it('names what computed a run’s layer, where the run has one and its engine said so', () => {
  expect(layerText({ layers: [lstm] }, 'LSTM')).toBe("LSTM by TensorFlow's BlockLSTMV2");
  expect(layerText({ layers: [lstm] }, 'GRU')).toBeUndefined();
  expect(layerText({ layers: [lstm] }, undefined)).toBeUndefined();
  expect(layerText({}, 'LSTM')).toBeUndefined();
});

it('lists all that was measured, and marks what is used', () => {
  expect(probeRows([lstm]).map((row) => row.slice(0, 5))).toEqual([
    ['LSTM', '  kernel', 'not tried', '-', '-'],
    ['LSTM', '  cudnn', 'no', '3.1e-2', '-'],
    ['LSTM', '* block', 'yes', '2.0e-7', '0.81'],
    ['LSTM', '  composed', 'yes', '-', '-'],
  ]);
});
