import type { LayerReport } from '../shared/engine-report.ts';

/** The variable by which an engine is told at its start what to compute its recurrent layers by. */
export const wishVariable = 'TELETRAIN_IMPLEMENTATION';

/**
 * A wish for an engine that is to compute its layers as another does: which way is the fastest is a
 * matter of what else the machine does when an engine starts, and another way gives other bits.
 *
 * @param layers what the other engine found; nothing where it is not known
 * @returns for the engine's environment
 */
export function wishLike(layers: readonly LayerReport[] = []): Record<string, string> {
  if (layers.length === 0) return {};
  return { [wishVariable]: layers.map(({ layer, used }) => `${layer}:${used}`).join(',') };
}

/**
 * What an engine is wished to compute a layer by: `kernel` is meant for all layers, and
 * `LSTM:kernel,GRU:operations` for each by its name.
 *
 * @returns one of `ImplementationName`, or what else was written, which no engine has
 */
export function wishFor(layer: string, environment = process.env): string | undefined {
  const wish = environment[wishVariable];
  if (!wish?.includes(':')) return wish;
  const named = wish.split(',').find((part) => part.startsWith(`${layer}:`));
  return named?.slice(layer.length + 1);
}
