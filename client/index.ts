/** What a program can import from `teletrain`. */

export { TeletrainError } from '../shared/errors.ts';
export type { EventOf, RunEvent, RunState } from '../shared/events.ts';
export type { RecipeName } from '../shared/recipes.ts';
export type { RunRecord } from '../shared/run.ts';
export type { LossName } from '../shared/tensors/losses.ts';
export type { OneOrMore } from '../shared/tensors/one-or-more.ts';
export { type ConnectOptions, connect, type RemoteSession } from './remote/connect.ts';
export type {
  ArrayValues,
  Batch,
  CreateModelOptions,
  OptimStepOptions,
  RemoteModel,
  SampledPictures,
  SampleOptions,
  StepValues,
  TensorOnWorker,
  Values,
} from './remote/model.ts';
export { type Observation, type ObserveOptions, observe } from './session/observe.ts';
export { samplePixels } from './session/sample-images.ts';
export {
  newestSavedModel,
  type SavedModel,
  type SavedModelOptions,
} from './session/saved-model.ts';
