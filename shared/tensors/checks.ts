import { malformed } from './batch.ts';

/** Longest list in a command, where the command does not say less. */
const mostValues = 65_536;

export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

export function isListOf<Item>(
  value: unknown,
  isItem: ((item: unknown) => item is Item) | ((item: unknown) => boolean),
): value is Item[] {
  return Array.isArray(value) && value.length <= mostValues && value.every(isItem);
}

/** @throws TeletrainError `malformed-batch`. */
export function check(isRight: boolean, what: string): asserts isRight {
  if (!isRight) throw malformed(`${what} has another form`);
}
