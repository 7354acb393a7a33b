import { parseArgs } from 'node:util';
import { type Prepared, serve } from '../serve.ts';
import type { Workload } from '../workload.ts';
import { completion } from './completion.ts';
import { dispatch } from './dispatch.ts';
import { loadEngineParts } from './engine-parts.ts';
import { epoch } from './epoch.ts';
import { layer } from './layer.ts';
import { matrixProduct } from './matrix-product.ts';
import { pixelRnnStep, sentimentStep } from './training-step.ts';

/**
 * The benchmark's participant that is teletrain itself. `--implementation operations` leaves our
 * kernels aside; `--of FOLDER` times the engine of another clone.
 */
const { values } = parseArgs({
  options: {
    implementation: { type: 'string', default: 'best' },
    of: { type: 'string' },
  },
});
const parts = await loadEngineParts(values.of);
const engine = await parts.engine.openEngine({
  onProgress: ({ message }) => process.stderr.write(`${message}\n`),
});
if (values.implementation === 'operations') parts.choose.setBest('operations');

function prepare(workload: Workload): Prepared | Promise<Prepared> {
  switch (workload.kind) {
    case 'sentiment':
      return sentimentStep(parts, workload);
    case 'pixel-rnn':
      return pixelRnnStep(parts, workload);
    case 'matrix-product':
      return matrixProduct(parts, workload);
    case 'layer':
      return layer(parts, workload);
    case 'completion':
      return completion(parts, workload);
    case 'epoch':
      return epoch(parts, engine, workload);
    case 'dispatch':
      return dispatch(parts, workload);
  }
}

const { tensorflowVersion, tfjsVersion } = engine.report;
await serve(
  {
    node: process.versions.node,
    tfjs: tfjsVersion,
    ...(tensorflowVersion !== undefined && { tensorflow: tensorflowVersion }),
  },
  prepare,
);
