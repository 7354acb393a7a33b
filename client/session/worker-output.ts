import { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import type { SetupProgress } from './types.ts';

/** What a worker started with `--json` says in one line of its output, as far as who starts it must know. */
export type OutputLine =
  | { readonly type: 'progress'; readonly progress: SetupProgress }
  | { readonly type: 'error'; readonly error: TeletrainError }
  | { readonly type: 'other' };

const progressSchema = z.object({
  event: z.literal('progress'),
  message: z.string(),
  /** 0 to 1, where it is known. */
  fraction: z.number().optional(),
});
const wireError = z.object({ code: z.string(), message: z.string(), hint: z.string() });
const errorSchema = z.object({ error: wireError });

export function parseOutputLine(line: string): OutputLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { type: 'other' };
  }
  const failed = errorSchema.safeParse(value);
  if (failed.success) {
    const { code, message, hint } = failed.data.error;
    return { type: 'error', error: new TeletrainError(code, message, { hint }) };
  }
  const progress = progressSchema.safeParse(value);
  if (!progress.success) return { type: 'other' };
  const { message, fraction } = progress.data;
  return {
    type: 'progress',
    progress: fraction === undefined ? { message } : { message, done: fraction, total: 1 },
  };
}
