import { join } from 'node:path';
import type { RunView } from '../session/types.ts';

/** A run as one JSON document: what `show --json` prints. Metrics of single steps are left to `export`. */
export function runToJson(view: RunView): Record<string, unknown> {
  return {
    ...view.record,
    createdAt: new Date(view.record.createdAt).toISOString(),
    directory: view.directory,
    worker: view.worker,
    state: view.state,
    stateReason: view.stateReason,
    stateMessage: view.stateMessage,
    step: view.step,
    epoch: view.epoch,
    epochs: view.epochs,
    patience: view.patience,
    stepsPerEpoch: view.stepsPerEpoch,
    parameters: view.parameters,
    engine: view.engine,
    differs: view.differs,
    metrics: [...view.series.values()]
      .filter((series) => series.per === 'epoch')
      .map((series) => ({
        split: series.split,
        name: series.name,
        epochs: [...series.epochs.subarray(0, series.length)],
        values: [...series.values.subarray(0, series.length)],
      })),
    checkpoints: view.checkpoints,
    samples: view.samples.map(({ seq, step, epoch, name, count, file }) => ({
      seq,
      step,
      epoch,
      name,
      count,
      file: join(view.directory, file),
    })),
    lastSeq: view.lastSeq,
  };
}
