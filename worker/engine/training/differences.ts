import type { EngineReport, LayerName } from '../../../shared/engine-report.ts';
import type { CheckpointState } from '../checkpoints/state.ts';

export type Surroundings = Pick<CheckpointState, 'version' | 'engine' | 'dataset'>;

/**
 * What differs between the surroundings a checkpoint was made in and those it goes on in, of all
 * that bit-identity rests on. One phrase each, e.g. "TensorFlow 2.19.0 before, 2.20.0 now".
 *
 * @param layer the recurrent layer of the run's network, if it has one
 */
export function differences(before: Surroundings, now: Surroundings, layer?: LayerName): string[] {
  const pairs: [what: string, before: unknown, now: unknown][] = [
    ['teletrain', before.version, now.version],
    ['engine', engineName(before.engine), engineName(now.engine)],
    ['GPU', before.engine.gpu?.name, now.engine.gpu?.name],
    ['TensorFlow', before.engine.tensorflowVersion, now.engine.tensorflowVersion],
    ['TensorFlow build', tensorflowBuild(before.engine), tensorflowBuild(now.engine)],
    ['tfjs', before.engine.tfjsVersion, now.engine.tfjsVersion],
    ['threads', before.engine.threads, now.engine.threads],
    ['CPU', before.engine.cpu, now.engine.cpu],
    ['CPU features', before.engine.cpuFeatures.join(' '), now.engine.cpuFeatures.join(' ')],
    ['dataset', before.dataset.name, now.dataset.name],
    ['binarization', before.dataset.binarization, now.dataset.binarization],
    ['data SHA-256', dataHashes(before), dataHashes(now)],
  ];
  const [computedBefore, computedNow] = [before, now].map(({ engine }) => usedFor(engine, layer));
  // Earlier versions did not write down what computed a layer.
  if (computedBefore !== undefined) {
    pairs.push([`${layer} by`, computedBefore, computedNow]);
  }
  return pairs.flatMap(([what, then, present]) =>
    then === present ? [] : [`${what} ${then ?? 'none'} before, ${present ?? 'none'} now`],
  );
}

const usedFor = ({ layers }: EngineReport, layer: LayerName | undefined) =>
  layers?.find((report) => report.layer === layer)?.used;

const engineName = ({ kind, device }: EngineReport) => `${kind} on ${device}`;

/** Wheels of one version differ in how they were compiled: tensorflow-cpu is fetched, another may be installed. */
const tensorflowBuild = ({ tensorflowSource }: EngineReport) => tensorflowSource?.origin;

const dataHashes = ({ dataset }: Surroundings) =>
  dataset.sources
    .map(({ sha256 }) => sha256)
    .sort()
    .join(' ');
