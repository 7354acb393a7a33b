import { TeletrainError } from '../../../shared/errors.ts';
import { loadCheckpoint } from '../checkpoints/load.ts';
import type { Best, Progress } from '../checkpoints/state.ts';
import { restoreVariables } from '../checkpoints/tensors.ts';
import { evaluateSplit } from './evaluate.ts';
import { logTo } from './journal.ts';
import type { RunParts } from './parts.ts';

/**
 * The only use of the test split's scores, once, after the last epoch; a run that is extended
 * afterwards is scored again at its new end. Two sets of weights are
 * tested: the last epoch's (`loss`, `accuracy`) and those with the lowest validation loss
 * (`bestLoss`, `bestAccuracy`); digits have `hiddenLoss` and `bestHiddenLoss` instead of an
 * accuracy. All are reported at the last step, for that is when it was known which were the best.
 * Where the weights are averaged, their averages are tested. Leaves the best weights in the model.
 * @throws StopRequested; then nothing was reported.
 */
export async function testRun(parts: RunParts, progress: Progress): Promise<void> {
  const { step, epoch, earlyStopping } = progress;
  const last = await parts.optimizer.withAverages(() => evaluateTest(parts, 'testing'));
  const best = earlyStopping.best;
  if (best !== undefined) {
    const ofBest = best.step === step ? last : await testBest(parts, best);
    if (ofBest !== undefined) {
      const what = `the weights with the lowest validation loss (epoch ${best.epoch})`;
      report(parts, progress, ofBest, what, bestName);
    }
  }
  report(parts, progress, last, `the last weights (epoch ${epoch})`);
}

/** Undefined, and a warning, where the best checkpoint cannot be had. */
async function testBest(parts: RunParts, best: Best): Promise<Record<string, number> | undefined> {
  try {
    const { weights } = await loadCheckpoint(parts.checkpointFolder, best.checkpoint);
    restoreVariables(parts.model.variables, weights);
  } catch (error) {
    if (!(error instanceof TeletrainError)) throw error;
    logTo(parts.journal).warning(
      `The best weights (epoch ${best.epoch}) are not tested: ${error.message}`,
    );
    return undefined;
  }
  return await evaluateTest(parts, 'testing the best');
}

function evaluateTest(parts: RunParts, phase: string): Promise<Record<string, number>> {
  const { model, dataset, settings, gather, controls, status } = parts;
  return evaluateSplit(model, dataset.test, {
    batchSize: settings.batchSize,
    gather,
    gate: () => controls.gate(),
    onProgress: (done: number) => status.phase(phase, done),
  });
}

function report(
  { journal }: RunParts,
  { step, epoch }: Progress,
  values: Readonly<Record<string, number>>,
  weights: string,
  rename = (name: string) => name,
): void {
  for (const [plain, value] of Object.entries(values)) {
    const name = rename(plain);
    journal.send({ type: 'metric', step, epoch, split: 'test', per: 'epoch', name, value });
  }
  const list = Object.entries(values).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  logTo(journal).info(`Test split, ${weights}: ${list.join(', ')}.`);
}

/** `loss` as `bestLoss`. */
const bestName = (name: string) => `best${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
