import { join } from 'node:path';
import { TeletrainError } from '../../../shared/errors.ts';
import type { Drawing, RunStatus } from '../../../shared/events.ts';
import { completeSettings, recipeNamed } from '../../../shared/recipes.ts';
import type { StartCommand } from '../../channel.ts';
import type { Engine } from '../backend/engine.ts';
import { hasDamaged, type LoadedCheckpoint, loadNewestCheckpoint } from '../checkpoints/load.ts';
import { restoreTraining } from '../checkpoints/restore.ts';
import { initialProgress, type Progress } from '../checkpoints/state.ts';
import { loadDataset } from '../datasets/load.ts';
import { createModel } from '../models/create.ts';
import { createOptimizer } from '../optimizers/create.ts';
import { keepImplementations } from '../probe/choose-implementations.ts';
import { gatherPictures, gatherReviews } from './batches.ts';
import { CheckpointKeeper } from './checkpoint-keeper.ts';
import { type RunControls, StopRequested } from './controls.ts';
import { differences } from './differences.ts';
import { GaugeReader } from './gauges.ts';
import { type Journal, logTo } from './journal.ts';
import { TrainingLoop } from './loop.ts';
import { datasetFacts, type RunParts } from './parts.ts';
import { StatusReporter } from './status.ts';
import { testRun } from './test-split.ts';

/** What a run is given by the process it runs in. */
export interface RunSurroundings {
  readonly engine: Engine;
  readonly controls: RunControls;
  readonly journal: Journal;
  readonly sendStatus: (status: RunStatus) => void;
  readonly sendDrawing: (drawing: Drawing) => void;
  readonly version: string;
}

/**
 * One run from its start (or its newest whole checkpoint) to its end. Ends with exactly one final
 * state event. Errors a user can meet become the state `failed` with the error's code as reason;
 * programming errors are thrown.
 */
export async function performRun(command: StartCommand, surroundings: RunSurroundings) {
  const { engine, journal, sendStatus } = surroundings;
  const gauges = new GaugeReader(() => engine.liveTensors(), engine.device);
  const status = new StatusReporter(command.record.id, gauges, sendStatus);
  const release: (() => void)[] = [() => status.close()];
  try {
    const assembled = await assemble(command, surroundings, status, release);
    const { parts, progress, isSaved } = await takeUp(command, assembled);
    const keeper = new CheckpointKeeper(parts, isSaved ? progress : undefined);
    await train(parts, progress, keeper, command.testedStep);
  } catch (caught) {
    reportEnd(caught instanceof Error ? asUserError(caught) : caught, journal, status);
  } finally {
    for (const free of release) free();
  }
}

async function assemble(
  { record, directory, dataDir, cacheDir }: StartCommand,
  { engine, controls, journal, sendDrawing, version }: RunSurroundings,
  status: StatusReporter,
  release: (() => void)[],
): Promise<RunParts> {
  const { name, task } = recipeNamed(record.recipe);
  const settings = completeSettings(name, record.settings);
  status.phase('loading data');
  const dataset = await loadDataset(settings, {
    ...(dataDir !== undefined && { dataDir }),
    cacheDir,
    onProgress: ({ what, done, total }) => {
      const phase = `loading data: ${what}`.slice(0, 64);
      status.phase(phase, total > 0 ? Math.min(1, done / total) : undefined);
    },
    signal: controls.signal,
  });
  const model = createModel(name, settings);
  release.push(() => model.dispose());
  const optimizer = createOptimizer(settings, model.variables);
  release.push(() => optimizer.dispose());
  return {
    record,
    settings,
    engine,
    dataset,
    model,
    optimizer,
    gather: task === 'digits' ? gatherPictures : gatherReviews,
    controls,
    journal,
    status,
    showDrawing: (drawing) => sendDrawing({ run: record.id, ...drawing }),
    checkpointFolder: join(directory, 'checkpoints'),
    version,
  };
}

/** Sets the weights to where the run begins and says what runs from there. */
async function takeUp(command: StartCommand, assembled: RunParts) {
  const { record, settings, dataset, model, journal, status, version } = assembled;
  const checkpoint = command.resume ? await newestCheckpoint(assembled, command) : undefined;
  if (checkpoint) restore(checkpoint, assembled);
  const engine = computingAsBefore(assembled.engine, checkpoint);
  const parts: RunParts = { ...assembled, engine };
  const progress: Progress = {
    ...(checkpoint?.state.progress ?? initialProgress(settings)),
    ...command.changed,
  };
  status.state('running');
  journal.send({ type: 'state', state: 'running', reason: command.resume ? 'resume' : 'start' });
  const facts = datasetFacts(dataset);
  const differs = checkpoint
    ? differences(
        checkpoint.state,
        { version, engine: engine.report, dataset: facts },
        recipeNamed(record.recipe).layer,
      )
    : [];
  journal.send({
    type: 'engine',
    report: engine.report,
    parameters: [...model.variables.values()].reduce((total, { size }) => total + size, 0),
    stepsPerEpoch: Math.ceil(dataset.train.count / settings.batchSize),
    dataset: facts,
    ...(differs.length > 0 && { differs }),
  });
  if (command.lastStep > progress.step) journal.send({ type: 'rewind', toStep: progress.step });
  if (checkpoint) {
    tellIfUntold(checkpoint, command, journal);
    logTo(journal).info(`The run goes on from its checkpoint of step ${progress.step}.`);
  } else if (command.resume) {
    logTo(journal).info('The run has no checkpoint yet and starts from its beginning.');
  }
  return { parts, progress, isSaved: checkpoint !== undefined };
}

/** A worker that ended after it saved a checkpoint and before it noted so would keep it from its clients. */
function tellIfUntold(
  { manifest, manifestSha256, bytes, state }: LoadedCheckpoint,
  { lastCheckpoint }: StartCommand,
  journal: Journal,
): void {
  const { id, step, epoch } = manifest;
  const told = lastCheckpoint?.step === step ? lastCheckpoint : undefined;
  if (told && (told.manifestSha256 ?? manifestSha256) === manifestSha256) return;
  if (lastCheckpoint && lastCheckpoint.step > step) return;
  const { epochFinished, earlyStopping } = state.progress;
  journal.send({
    ...{ type: 'checkpoint', id, step, epoch, reason: epochFinished ? 'epoch' : 'time' },
    ...{ best: earlyStopping.best?.checkpoint === id, bytes, manifestSha256 },
  });
}

/** A run keeps the implementations of its layers, and so its bits, where they are right here too. */
function computingAsBefore(
  engine: RunParts['engine'],
  checkpoint: LoadedCheckpoint | undefined,
): RunParts['engine'] {
  const { report } = engine;
  if (!report.layers) return engine;
  const layers = keepImplementations(report.layers, checkpoint?.state.engine.layers);
  return { report: { ...report, layers }, liveTensors: () => engine.liveTensors() };
}

/** @throws TeletrainError `no-checkpoint` where there were some and none is whole any more. */
async function newestCheckpoint(
  { journal, checkpointFolder, status }: RunParts,
  { record, needsCheckpoint }: StartCommand,
): Promise<LoadedCheckpoint | undefined> {
  status.phase('loading the checkpoint');
  const checkpoint = await loadNewestCheckpoint(checkpointFolder, (id, error) => {
    logTo(journal).warning(`${error.message} The one before it is tried, if there is one.`);
    journal.send({ type: 'checkpoint-removed', id });
  });
  if (checkpoint === undefined && (needsCheckpoint || (await hasDamaged(checkpointFolder)))) {
    throw new TeletrainError(
      'no-checkpoint',
      'None of the checkpoints that the run left on this worker can be used.',
      {
        hint: `Go on from a copy at home, with "teletrain resume ${record.id} --on <worker>", or start a new run.`,
      },
    );
  }
  return checkpoint;
}

function restore(checkpoint: LoadedCheckpoint, { record, model, optimizer }: RunParts): void {
  const { state } = checkpoint;
  if (state.recipe !== record.recipe) {
    throw new TeletrainError(
      'checkpoint-mismatch',
      `The checkpoint is of recipe ${state.recipe}, the run of ${record.recipe}.`,
      { hint: 'Resume the run that the checkpoint belongs to.' },
    );
  }
  restoreTraining(checkpoint, model.variables, optimizer);
}

/** @param testedStep where the test split was scored before. */
async function train(
  parts: RunParts,
  begin: Progress,
  keeper: CheckpointKeeper,
  testedStep: number | undefined,
): Promise<void> {
  const { controls, journal, status } = parts;
  const loop = new TrainingLoop(parts, begin, keeper);
  status.follow(loop);
  controls.listen({
    paused: () => {
      status.state('paused');
      journal.send({ type: 'state', state: 'paused', reason: 'pause' });
    },
    continued: () => {
      status.state('running');
      journal.send({ type: 'state', state: 'running', reason: 'continue' });
    },
    stopAfterEpoch: () => {
      const message = 'The run ends after this epoch.';
      journal.send({ type: 'state', state: 'running', reason: 'stop-epoch', message });
    },
    // The gateway journaled the change before it passed it on.
    changed: (change) => loop.changeLimits(change),
  });
  try {
    const reason = await loop.run();
    const isTested = begin.step === testedStep && loop.progress.step === testedStep;
    if (isTested)
      logTo(journal).info('Nothing was left to train; the test split is not read again.');
    else if (reason !== 'stop-epoch') await testRun(parts, loop.progress);
    const state = reason === 'stop-epoch' ? 'stopped' : 'done';
    status.state(state);
    journal.send({ type: 'state', state, reason });
  } catch (error) {
    if (error instanceof StopRequested) await keeper.save('stop', loop.progress);
    throw error;
  }
}

/** The final state of a run that did not come to its own end. */
function reportEnd(error: unknown, journal: Journal, status: StatusReporter): void {
  if (error instanceof StopRequested) {
    const state = error.reason === 'shutdown' ? 'interrupted' : 'stopped';
    status.state(state);
    journal.send({ type: 'state', state, reason: error.reason });
    return;
  }
  if (!(error instanceof TeletrainError)) throw error;
  logTo(journal).error(`${error.message} ${error.hint}`);
  status.state('failed');
  journal.send({
    type: 'state',
    state: 'failed',
    reason: error.code,
    message: `${error.message} ${error.hint}`,
  });
}

/** TensorFlow says with a plain Error that memory ran out. */
function asUserError(error: Error): Error {
  if (!/OOM when allocating|RESOURCE_EXHAUSTED|ResourceExhausted/.test(error.message)) return error;
  return new TeletrainError('out-of-memory', "The engine's memory cannot hold a step.", {
    hint: 'Start again with a smaller batchSize.',
    cause: error,
  });
}
