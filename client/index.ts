/** What a program can import from `teletrain`. */

export type { RecipeName } from '../shared/recipes.ts';
export type { LossName } from '../shared/tensors/losses.ts';
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
export {
  newestSavedModel,
  type SavedModel,
  type SavedModelOptions,
} from './session/saved-model.ts';
