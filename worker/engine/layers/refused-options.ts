import { TeletrainError } from '../../../shared/errors.ts';

/** Options that change what Keras computes and that neither tfjs-layers nor these layers know. */
const refusals: readonly {
  readonly option: string;
  readonly isRefused: (value: unknown) => boolean;
}[] = [
  { option: 'activityRegularizer', isRefused: isGiven },
  { option: 'timeMajor', isRefused: (value) => value === true },
];

const constraints = ['kernelConstraint', 'recurrentConstraint', 'biasConstraint'] as const;

/**
 * @param given the options that a layer is made with
 * @throws TeletrainError `layer-option-unsupported` for one that would be left out without a word, and
 *   for a dtype other than float32, the only one that is computed in.
 */
export function refuseOptions(className: string, given: object): void {
  const options: Readonly<Record<string, unknown>> = { ...given };
  if (isGiven(options.dtype) && dtypeName(options.dtype) !== 'float32') {
    throw unsupported(className, options.name, `the dtype ${dtypeName(options.dtype)}`);
  }
  for (const { option, isRefused } of refusals) {
    if (isRefused(options[option])) throw unsupported(className, options.name, option);
  }
}

/**
 * Training applies no constraint to a recurrent layer's weights: tfjs' optimizers write them without
 * asking.
 *
 * @throws TeletrainError `layer-option-unsupported` where there is one.
 */
export function refuseTrainingWithConstraints(
  className: string,
  name: string,
  cell: Readonly<Partial<Record<(typeof constraints)[number], unknown>>>,
): void {
  const constraint = constraints.find((option) => isGiven(cell[option]));
  if (constraint !== undefined) throw unsupported(className, name, `${constraint} in training`);
}

/** @param name the layer's, where it has one yet */
export function unsupported(className: string, name: unknown, option: string): TeletrainError {
  const which = typeof name === 'string' ? `${className} ${name}` : className;
  return new TeletrainError(
    'layer-option-unsupported',
    `The layer ${which} does not support ${option}.`,
    { hint: 'Leave the option out, or compute this model in Keras.' },
  );
}

/** @param dtype a name, or the config of Keras' DTypePolicy, which has the name within */
function dtypeName(dtype: unknown): string {
  const policy = dtype as { readonly config?: { readonly name?: unknown } };
  const name = typeof dtype === 'string' ? dtype : policy.config?.name;
  return typeof name === 'string' ? name : JSON.stringify(dtype);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
