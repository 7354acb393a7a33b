import { parseArgs } from 'node:util';
import { type Prepared, refuse, serve } from '../serve.ts';
import type { Workload } from '../workload.ts';
import { completion } from './completion.ts';
import { dispatch } from './dispatch.ts';
import { loadEngineParts } from './engine-parts.ts';
import { epoch } from './epoch.ts';
import { layer } from './layer.ts';
import { layersWithoutKernel } from './layers-without-kernel.ts';
import { matrixProduct } from './matrix-product.ts';
import { pixelRnnStep, sentimentStep } from './training-step.ts';

/**
 * The benchmark's participant that is teletrain itself, by its native engine on the CPU and by no
 * other: a peer is never compared with WebAssembly, and a GPU would compute on while the clock has
 * stopped. `--implementation operations` leaves our kernels aside; `--of FOLDER` times the engine of
 * another clone.
 */
const { values } = parseArgs({
  options: {
    implementation: { type: 'string', default: 'best' },
    of: { type: 'string' },
  },
});
const parts = await loadEngineParts(values.of);
const engine = await parts.engine
  .openEngine({
    require: 'native',
    onProgress: ({ message }) => process.stderr.write(`${message}\n`),
  })
  .catch((error: unknown) => {
    // By its class's name: another clone's errors are of a class of its own.
    if (error instanceof Error && /^(Teletrain|Usage)Error$/.test(error.name)) {
      refuse(error.message);
    }
    throw error;
  });
if (engine.device !== 'cpu') refuse('its engine computes on a GPU, which is not timed rightly');
if (values.implementation === 'operations') parts.choose.setBest('operations');

async function prepare(workload: Workload): Promise<Prepared> {
  const prepared = await prepareStep(workload);
  if (values.implementation === 'operations') return prepared;
  const notes = [
    ...(prepared.note === undefined ? [] : [prepared.note]),
    ...layersWithoutKernel(engine.report.layers, workload),
  ];
  return { ...prepared, ...(notes.length > 0 && { note: notes.join('; ') }) };
}

function prepareStep(workload: Workload): Prepared | Promise<Prepared> {
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
