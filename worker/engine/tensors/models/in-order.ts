import type { TeletrainError } from '../../../../shared/errors.ts';
import { isList, type Several } from '../../../../shared/tensors/one-or-more.ts';
import { badBatch } from './network.ts';

/**
 * What was given for a model's inputs or outputs, in the model's order.
 * @param names in the model's order, all different
 * @param what they are, for the message: `inputs`, `targets`
 * @throws TeletrainError `bad-batch` unless there is one for each and nothing else.
 */
export function inOrder<Value>(
  given: Several<Value>,
  names: readonly string[],
  what: string,
): Value[] {
  if (isList(given)) {
    if (given.length !== names.length) throw mismatch(what, names, `not ${given.length}`);
    return [...given];
  }
  const unknown = [...given.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined) throw mismatch(what, names, `none is named ${unknown}`);
  return names.map((name) => {
    const value = given.get(name);
    if (value === undefined) throw mismatch(what, names, `${name} is missing`);
    return value;
  });
}

/** A name that came before gets a number, as tfjs gives to layers. */
export function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>();
  for (const given of names) {
    let name = given;
    for (let count = 1; taken.has(name); count++) name = `${given}_${count}`;
    taken.add(name);
  }
  return [...taken];
}

function mismatch(what: string, names: readonly string[], found: string): TeletrainError {
  return badBatch(
    `The model has ${names.length} ${what} (${names.join(', ')}): ${found}.`,
    `Give its only one, a list of ${names.length}, or each by its name.`,
  );
}
