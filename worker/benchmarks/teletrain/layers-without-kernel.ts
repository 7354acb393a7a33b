import type { LayerName, LayerReport } from '../../../shared/engine-report.ts';
import type { Workload } from '../workload.ts';

/** What of a PixelRNN the engine can compute in more than one way. */
const pixelRnnLayers: readonly LayerName[] = ['DiagonalLSTM', 'Dense', 'MaskedConvolution'];

/**
 * Those of the workload's layers that our kernels do not compute here, which is nothing that a time
 * shows, e.g. `LSTM by block`.
 *
 * @param layers absent where the engine does not report them, as an earlier clone's
 */
export function layersWithoutKernel(
  layers: readonly Pick<LayerReport, 'layer' | 'used'>[] = [],
  workload: Workload,
): string[] {
  const timed: readonly string[] = layersOf(workload);
  return layers
    .filter(({ layer, used }) => timed.includes(layer) && used !== 'kernel')
    .map(({ layer, used }) => `${layer} by ${used}`);
}

function layersOf(workload: Workload): readonly LayerName[] {
  switch (workload.kind) {
    case 'sentiment':
    case 'layer':
      return [workload.layer];
    case 'epoch':
      return ['SimpleRNN'];
    case 'pixel-rnn':
    case 'completion':
      return pixelRnnLayers;
    case 'dispatch':
    case 'matrix-product':
      return [];
  }
}
