import type { Variable } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { TeletrainError } from '../../../../shared/errors.ts';
import type { Options } from '../../../../shared/tensors/model-commands.ts';
import type { StatefulOptimizer } from '../../models/model.ts';
import { adam } from '../../optimizers/adam.ts';
import { Optimizer } from '../../optimizers/optimizer.ts';
import { rmsprop } from '../../optimizers/rmsprop.ts';

const decay = z.number().min(0).lt(1);
const epsilon = z.number().positive().default(1e-7);
const emaMomentum = decay.default(0);

/** What an optimizer keeps from its first step on, with Keras' defaults. */
const kinds = {
  adam: z.strictObject({
    optimizer: z.literal('adam'),
    emaMomentum,
    beta1: decay.default(0.9),
    beta2: decay.default(0.999),
    epsilon,
  }),
  rmsprop: z.strictObject({
    optimizer: z.literal('rmsprop'),
    emaMomentum,
    rho: decay.default(0.9),
    epsilon,
  }),
};

/** What each step may have of its own. */
const stepSchema = z.strictObject({
  learningRate: z.number().positive().default(0.001),
  clipNorm: z.number().min(0).default(0),
  gradientScale: z.number().positive().default(1),
});

export const optimizerKindSchema = z.discriminatedUnion('optimizer', [kinds.adam, kinds.rmsprop]);
export type OptimizerKind = z.infer<typeof optimizerKindSchema>;
export type StepSettings = z.infer<typeof stepSchema>;

/** What a network is trained with where a client says nothing else. */
export type OptimizerDefaults = Options & { readonly optimizer: OptimizerKind['optimizer'] };

/**
 * A step's settings from what the client says.
 * @param own those of the network, which hold for what is not said of the same optimizer
 * @param before what the steps before had
 * @throws TeletrainError `bad-option`; `optimizer-changed`: another optimizer's slots would be needed.
 */
export function optimizerSettings(
  given: Options,
  own: OptimizerDefaults,
  before: OptimizerKind | undefined,
): { readonly kind: OptimizerKind; readonly step: StepSettings } {
  const name = given.optimizer ?? before?.optimizer ?? own.optimizer;
  if (name !== 'adam' && name !== 'rmsprop') {
    throw badOption(`optimizer is adam or rmsprop, not ${name}`);
  }
  if (before && before.optimizer !== name) throw changed('optimizer');
  const schema = kinds[name].extend(stepSchema.shape);
  const defaults = name === own.optimizer ? own : { optimizer: name };
  const parsed = schema.safeParse({ ...defaults, ...before, ...given });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw badOption(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const { learningRate, clipNorm, gradientScale, ...kind } = parsed.data;
  for (const [option, value] of Object.entries(before ?? {})) {
    if (Object(kind)[option] !== value) throw changed(option);
  }
  return { kind, step: { learningRate, clipNorm, gradientScale } };
}

/** An optimizer with fresh slots. */
export function makeOptimizer(
  kind: OptimizerKind,
  variables: ReadonlyMap<string, Variable>,
): StatefulOptimizer {
  const formula = kind.optimizer === 'adam' ? adam(kind) : rmsprop(kind);
  return new Optimizer(formula, variables, { averageMomentum: kind.emaMomentum });
}

/** How many tensors of a variable's size it keeps beside it. */
export function slotsOf({ optimizer, emaMomentum: average }: OptimizerKind): number {
  return (optimizer === 'adam' ? 2 : 1) + (average > 0 ? 1 : 0);
}

function badOption(what: string): TeletrainError {
  return new TeletrainError('bad-option', `An optimizer's option cannot be used: ${what}.`, {
    hint: 'See OptimStepOptions for what there is.',
  });
}

function changed(option: string): TeletrainError {
  return new TeletrainError(
    'optimizer-changed',
    `The option ${option} is another than at the model's first step.`,
    { hint: 'Leave it out, or load the weights into a new model to begin anew.' },
  );
}
