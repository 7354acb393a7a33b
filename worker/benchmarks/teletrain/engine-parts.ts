import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * The parts of an engine that are timed. They are loaded from a folder, so that another clone of
 * teletrain, an earlier one, can be timed by the same program.
 */
export interface EngineParts {
  readonly tf: typeof import('@tensorflow/tfjs-core');
  readonly engine: typeof import('../../engine/backend/engine.ts');
  readonly recipes: typeof import('../../../shared/recipes.ts');
  readonly create: typeof import('../../engine/models/create.ts');
  readonly sentiment: typeof import('../../engine/models/sentiment.ts');
  readonly optimizers: typeof import('../../engine/optimizers/create.ts');
  readonly applyGradients: typeof import('../../engine/training/apply-gradients.ts');
  readonly choose: typeof import('../../engine/ops/choose.ts');
  readonly dispatch: typeof import('../../engine/ops/native-dispatch.ts');
  readonly run: typeof import('../../engine/training/run.ts');
  readonly controls: typeof import('../../engine/training/controls.ts');
  readonly datasets: typeof import('../../engine/datasets/load.ts');
  /** Any other module, by its path without an ending. */
  load<Module>(path: string): Promise<Module>;
  readonly layers: {
    readonly simpleRnn: typeof import('../../engine/ops/simple-rnn.ts').simpleRnn;
    readonly lstm: typeof import('../../engine/ops/lstm.ts').lstm;
    readonly gru: typeof import('../../engine/ops/gru.ts').gru;
    readonly diagonalLstm: typeof import('../../engine/ops/diagonal-lstm.ts').diagonalLstm;
  };
}

/** @param project folder of a clone; default: this one */
export async function loadEngineParts(project?: string): Promise<EngineParts> {
  const isSource = project ? existsSync(join(project, 'worker', 'engine')) : isTypeScript;
  const folder = project
    ? join(project, ...(isSource ? [] : ['dist']))
    : join(import.meta.dirname, '..', '..', '..');
  const extension = isSource ? '.ts' : '.js';
  const load = async <Module>(path: string): Promise<Module> =>
    await import(pathToFileURL(join(folder, `${path}${extension}`)).href);
  const requireThere = createRequire(join(folder, 'worker', 'engine', 'any.js'));
  const core = pathToFileURL(requireThere.resolve('@tensorflow/tfjs-core')).href;
  const [simpleRnn, lstm, gru, diagonal] = await Promise.all([
    load<typeof import('../../engine/ops/simple-rnn.ts')>('worker/engine/ops/simple-rnn'),
    load<typeof import('../../engine/ops/lstm.ts')>('worker/engine/ops/lstm'),
    load<typeof import('../../engine/ops/gru.ts')>('worker/engine/ops/gru'),
    load<typeof import('../../engine/ops/diagonal-lstm.ts')>('worker/engine/ops/diagonal-lstm'),
  ]);
  return {
    load,
    tf: await import(core),
    engine: await load('worker/engine/backend/engine'),
    recipes: await load('shared/recipes'),
    create: await load('worker/engine/models/create'),
    sentiment: await load('worker/engine/models/sentiment'),
    optimizers: await load('worker/engine/optimizers/create'),
    applyGradients: await load('worker/engine/training/apply-gradients'),
    choose: await load('worker/engine/ops/choose'),
    dispatch: await load('worker/engine/ops/native-dispatch'),
    run: await load('worker/engine/training/run'),
    controls: await load('worker/engine/training/controls'),
    datasets: await load('worker/engine/datasets/load'),
    layers: { ...simpleRnn, ...lstm, ...gru, ...diagonal },
  };
}

const isTypeScript = import.meta.url.endsWith('.ts');
