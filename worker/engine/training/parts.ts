import type { Drawing } from '../../../shared/events.ts';
import type { AnySettings } from '../../../shared/recipes.ts';
import type { RunRecord } from '../../../shared/run.ts';
import type { Engine } from '../backend/engine.ts';
import type { CheckpointState } from '../checkpoints/state.ts';
import type { Dataset } from '../datasets/dataset.ts';
import type { StatefulOptimizer, TrainableModel } from '../models/model.ts';
import type { Gather } from './batches.ts';
import type { RunControls } from './controls.ts';
import type { Journal } from './journal.ts';
import type { StatusReporter } from './status.ts';

/** Everything a run works with. One run owns all of it but the engine. */
export interface RunParts {
  readonly record: RunRecord;
  readonly settings: AnySettings;
  readonly engine: Pick<Engine, 'report' | 'liveTensors'>;
  readonly dataset: Dataset;
  readonly model: TrainableModel;
  readonly optimizer: StatefulOptimizer;
  readonly gather: Gather;
  readonly controls: RunControls;
  readonly journal: Journal;
  readonly status: StatusReporter;
  /** Shows a sample while it is drawn to who looks; kept nowhere. */
  readonly showDrawing: (drawing: Omit<Drawing, 'run'>) => void;
  /** `<run>/checkpoints`. */
  readonly checkpointFolder: string;
  /** Version of teletrain that runs. */
  readonly version: string;
}

export const datasetFacts = ({
  name,
  binarization,
  sources,
}: Dataset): CheckpointState['dataset'] => ({
  name,
  ...(binarization !== undefined && { binarization }),
  sources: sources.map(({ file, sha256 }) => ({ file, sha256 })),
});
