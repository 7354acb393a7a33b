import type {
  EngineReport,
  ImplementationName,
  ImplementationReport,
  LayerName,
  LayerReport,
} from '../../shared/engine-report.ts';

const names: Readonly<Record<ImplementationName, string>> = {
  kernel: 'our own kernel',
  cudnn: "cuDNN (TensorFlow's CudnnRNNV3)",
  block: "TensorFlow's BlockLSTMV2",
  operations: 'operations called by name',
  composed: 'plain operations',
};
const texts = new Map<string, string>(Object.entries(names));
/** A way that a newer worker has is shown by its name. */
const textOf = (way: string): string => texts.get(way) ?? way;

/** `LSTM by our own kernel`, or nothing where the engine does not say or the run has no such layer. */
export function layerText(
  { layers }: Pick<EngineReport, 'layers'>,
  layer: LayerName | undefined,
): string | undefined {
  const used = layers?.find((report) => report.layer === layer)?.used;
  return used && `${layer} by ${textOf(used)}`;
}

/** A line for what computes each layer, and below it one for each other way that says why it does not. */
export function layerLines(layers: readonly LayerReport[]): string[] {
  return layers.flatMap(({ layer, used, implementations }) => {
    const of = (name: string) => implementations.find((other) => other.name === name);
    const others = implementations
      .filter(({ name }) => name !== used)
      .map(({ name, reason }) => `  - ${name.padEnd(10)} ${reason}`);
    return [`layer       ${layer} by ${textOf(used)}: ${of(used)?.reason ?? 'unknown'}`, ...others];
  });
}

/** All that the probe found, as rows of a table under `probeHeadings`. */
export function probeRows(layers: readonly LayerReport[]): string[][] {
  return layers.flatMap(({ layer, used, implementations }) =>
    implementations.map((implementation) => [
      layer,
      `${implementation.name === used ? '* ' : '  '}${implementation.name}`,
      verdict(implementation),
      implementation.difference?.toExponential(1) ?? '-',
      implementation.milliseconds?.toFixed(2) ?? '-',
      implementation.reason,
    ]),
  );
}

export const probeHeadings = ['layer', '  by', 'right', 'difference', 'ms', 'because'] as const;

const verdict = ({ agrees }: ImplementationReport): string =>
  agrees === undefined ? 'not tried' : agrees ? 'yes' : 'no';
