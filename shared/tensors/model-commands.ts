import { malformed } from './batch.ts';
import { check, isCount, isListOf } from './checks.ts';
import type { OneOrMore } from './one-or-more.ts';

/**
 * What a client has a worker do with whole models, each an array in a batch's list beside the commands
 * on tensors and in one order with them (PROTOCOL.md, "Models"). A model's number is an integer that
 * the client chose and never chooses again; `inputs`, `targets` and the like are tensors' handles, of a
 * model with several of them one for each.
 */
export type ModelCommand =
  /** A recipe's network. Answered by `values`: `parameters`, and the `bytes` that it takes now. */
  | ['createRecipeModel', id: number, model: number, recipe: string, settings: Options]
  /** A network of tfjs-layers from the bytes of a model.json and, if given, of its weights. */
  | ['createLayersModel', id: number, model: number, modelJson: number, weights: number | null]
  /** Answered by `values`: `loss` and the model's metrics. */
  | ['forwardBackward', id: number, model: number, inputs: Inputs, targets: Targets, loss: Loss]
  /** Answered by `values`: `step` and `gradientNorm`. */
  | ['optimStep', id: number, model: number, Options]
  /** Answered as `forwardBackward`. */
  | ['evaluate', id: number, model: number, inputs: Inputs, targets: Targets, loss: Loss]
  /** Makes a tensor of each output, in the model's order. Answered by `described`. */
  | ['predict', id: number, model: number, inputs: Inputs, outputs: number[]]
  /** Answered by `data`: truth values, [count, rows, columns, 1]. */
  | ['sample', id: number, model: number, given: Given, Options]
  /** Answered by `data` of the type `bytes`. */
  | ['saveState', id: number, model: number]
  /** Answered by `values`: `step`. */
  | ['loadState', id: number, model: number, bytes: number]
  | ['disposeModel', model: number];

type Given = number | null;
type Inputs = OneOrMore<number>;
type Targets = OneOrMore<number> | null;
/** One for all outputs, or one for each. */
type Loss = OneOrMore<string> | null;

/** Options by their names. Which there are, and their ranges, whoever does the command knows. */
export type Options = Readonly<Record<string, number | boolean | string>>;

const longestName = 100;
const mostOptions = 64;
const longestText = 4096;
/** Inputs or outputs of a model. */
const mostSeveral = 256;

const isName = (value: unknown) => typeof value === 'string' && value.length <= longestName;
const isGiven = (value: unknown) => value === null || isCount(value);
const isHandles = oneOrMore(isCount);
const isTargets = (value: unknown) => value === null || isHandles(value);
const isNames = oneOrMore(isName);
const isLoss = (value: unknown) => value === null || isNames(value);
const isOutputs = (value: unknown) =>
  isListOf(value, isCount) && value.length <= mostSeveral && new Set(value).size === value.length;

function oneOrMore(isOne: (value: unknown) => boolean): (value: unknown) => boolean {
  const areAll = (values: readonly unknown[]) =>
    values.length > 0 && values.length <= mostSeveral && values.every(isOne);
  return (value) => {
    if (typeof value !== 'object' || value === null) return isOne(value);
    if (Array.isArray(value)) return areAll(value);
    return Object.keys(value).every(isName) && areAll(Object.values(value));
  };
}

function isOptions(value: unknown): value is Options {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= mostOptions &&
    entries.every(
      ([name, option]) =>
        isName(name) &&
        (typeof option === 'number' ||
          typeof option === 'boolean' ||
          (typeof option === 'string' && option.length <= longestText)),
    )
  );
}

/** What follows a command's name. */
const forms: Readonly<Record<ModelCommand[0], readonly ((value: unknown) => boolean)[]>> = {
  createRecipeModel: [isCount, isCount, isName, isOptions],
  createLayersModel: [isCount, isCount, isCount, isGiven],
  forwardBackward: [isCount, isCount, isHandles, isTargets, isLoss],
  optimStep: [isCount, isCount, isOptions],
  evaluate: [isCount, isCount, isHandles, isTargets, isLoss],
  predict: [isCount, isCount, isHandles, isOutputs],
  sample: [isCount, isCount, isGiven, isOptions],
  saveState: [isCount, isCount],
  loadState: [isCount, isCount, isCount],
  disposeModel: [isCount],
};

export const modelCommandNames = Object.keys(forms) as ModelCommand[0][];

const isModelCommandName = (name: unknown): name is ModelCommand[0] =>
  typeof name === 'string' && Object.hasOwn(forms, name);

export function isModelCommand(command: readonly unknown[]): command is ModelCommand {
  return isModelCommandName(command[0]);
}

/** @throws TeletrainError `malformed-batch` for anything that is not one of the commands above. */
export function parseModelCommand(value: readonly unknown[]): ModelCommand {
  const [name, ...places] = value;
  if (!isModelCommandName(name)) throw malformed('it has an unknown command');
  const form = forms[name];
  check(
    places.length === form.length && form.every((isRight, place) => isRight(places[place])),
    name,
  );
  // Each of its places was looked at above.
  return value as ModelCommand;
}
