import { expect, it } from 'vitest';
import type { LayerReport } from '../../../../../shared/engine-report.ts';
import { withTrustedKernels } from '../../../../../worker/engine/probe/trusted-kernels.ts';

const right = { agrees: true, reason: 'agrees' } as const;

function lstm(kernel: LayerReport['implementations'][number]): LayerReport {
  return {
    layer: 'LSTM',
    used: 'kernel',
    implementations: [
      kernel,
      { name: 'operations', milliseconds: 9, ...right },
      { name: 'composed', milliseconds: 5, ...right },
    ],
  };
}
const kernel = { name: 'kernel', milliseconds: 1, ...right } as const;
const wrongGru: LayerReport = {
  layer: 'GRU',
  used: 'composed',
  implementations: [
    { name: 'kernel', agrees: false, reason: 'differs' },
    { name: 'composed', ...right },
  ],
};

it('a wrong kernel takes all of ours out of use, each layer going to its next fastest way', () => {
  const [layer, gru] = withTrustedKernels([lstm(kernel), wrongGru]);
  expect(layer).toEqual({
    ...lstm({ ...kernel, reason: 'is right, but our kernel of GRU is not: none is used' }),
    used: 'composed',
  });
  expect(gru).toEqual(wrongGru);
});

it('right kernels stay in use, and a layer without another right way keeps its kernel', () => {
  expect(withTrustedKernels([lstm(kernel)])).toEqual([lstm(kernel)]);
  const alone: LayerReport = { layer: 'Dense', used: 'kernel', implementations: [kernel] };
  expect(withTrustedKernels([alone, wrongGru])).toEqual([alone, wrongGru]);
});
