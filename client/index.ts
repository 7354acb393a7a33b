/** What a program can import from `teletrain`. */
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
