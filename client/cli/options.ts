import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { UsageError } from '../../shared/errors.ts';

/** For commander: a whole number from `min` to `max`. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) {
      const range =
        max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
      throw new InvalidArgumentError(`It takes a whole number ${range}`);
    }
    return value;
  };
}

/** For commander: an option that may be given many times. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** What the commands that follow a run take alike. */
export function addFollowOptions(command: Command): Command {
  return command
    .option('--plain', 'no dashboard: one line an epoch')
    .option(
      '--lost-after <seconds>',
      'without a dashboard: give up a worker not heard of for so long',
      wholeNumber(1),
      300,
    );
}

/**
 * The absolute path of a folder that must be there.
 * @throws UsageError `no-such-folder`.
 */
export async function existingFolder(path: string, option: string): Promise<string> {
  const absolute = resolve(path);
  const found = await stat(absolute).catch(() => undefined);
  if (!found?.isDirectory()) {
    throw new UsageError(
      'no-such-folder',
      `${option} ${path} is not a folder.`,
      'Give the path of a folder that exists.',
    );
  }
  return absolute;
}

/** The end of a command's help. */
export const example = (args: string): string => `\nExample:\n  teletrain ${args}`;
