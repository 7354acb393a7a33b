/**
 * What is given for a model's inputs or outputs: for its only one, for each in the model's order, or for
 * each by the name of its layer (`inputNames` and `outputNames` of a LayersModel).
 */
export type OneOrMore<Value> = Value | readonly Value[] | Readonly<Record<string, Value>>;

/** The same as a list or by names; a single value is a list of one. */
export type Several<Value> = readonly Value[] | ReadonlyMap<string, Value>;

/** Of handles and names: what else is an object is a record. */
export function several<Value extends number | string>(given: OneOrMore<Value>): Several<Value> {
  if (typeof given !== 'object') return [given];
  if (isList(given)) return given;
  return new Map(Object.entries(given));
}

/** Each value changed, in the same form. */
export function mapSeveral<Value, Result>(
  given: Several<Value>,
  change: (value: Value) => Result,
): Several<Result> {
  if (isList(given)) return given.map(change);
  return new Map([...given].map(([name, value]) => [name, change(value)]));
}

export const isList = <Value>(
  given: readonly Value[] | ReadonlyMap<string, Value> | Readonly<Record<string, Value>>,
): given is readonly Value[] => Array.isArray(given);
