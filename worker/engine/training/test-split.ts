import { TeletrainError } from '../../../shared/errors.ts';
import { loadCheckpoint } from '../checkpoints/load.ts';
import type { Progress } from '../checkpoints/state.ts';
import { restoreVariables } from '../checkpoints/tensors.ts';
import { evaluateSplit } from './evaluate.ts';
import { logTo } from './journal.ts';
import type { RunParts } from './parts.ts';

/**
 * The only use of the test split's scores, once, after the last epoch. Two sets of weights are
 * tested: the last epoch's (`loss`, `accuracy`, at the last step) and those with the lowest
 * validation loss (`bestLoss`, `bestAccuracy`, at their own step). Digits have `hiddenLoss` and
 * `bestHiddenLoss` instead of an accuracy. Leaves the best weights in the model.
 * @throws StopRequested; then nothing was reported.
 */
export async function testRun(parts: RunParts, progress: Progress): Promise<void> {
  const { model, journal, checkpointFolder } = parts;
  const { step, epoch, earlyStopping } = progress;
  const log = logTo(journal);
  const last = await evaluateTest(parts, 'testing');
  const best = earlyStopping.best;
  let ofBest = last;
  if (best !== undefined && best.step !== step) {
    try {
      const { weights } = await loadCheckpoint(checkpointFolder, best.checkpoint);
      restoreVariables(model.variables, weights);
      ofBest = await evaluateTest(parts, 'testing the best');
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      log.warning(`The best weights (epoch ${best.epoch}) are not tested: ${error.message}`);
      report(parts, last, { step, epoch }, false);
      return;
    }
  }
  if (best !== undefined) report(parts, ofBest, best, true);
  report(parts, last, { step, epoch }, false);
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
  values: Readonly<Record<string, number>>,
  { step, epoch }: { step: number; epoch: number },
  best: boolean,
): void {
  for (const [plain, value] of Object.entries(values)) {
    const name = best ? `best${plain[0]?.toUpperCase()}${plain.slice(1)}` : plain;
    journal.send({ type: 'metric', step, epoch, split: 'test', per: 'epoch', name, value });
  }
  const weights = best
    ? `the weights with the lowest validation loss (epoch ${epoch})`
    : `the last weights (epoch ${epoch})`;
  const list = Object.entries(values).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  logTo(journal).info(`Test split, ${weights}: ${list.join(', ')}.`);
}
