import { TeletrainError } from '../../shared/errors.ts';
import type { Frame } from '../../shared/frames.ts';
import { closeCodes } from '../../shared/limits.ts';

/** What a worker's messages and close codes mean to a client. */

interface Schema<Output> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: Output }
    | { success: false; error: { issues: readonly { message: string }[] } };
}

/** @throws TeletrainError `malformed-message`. */
export function checkedHeader<Output>(schema: Schema<Output>, frame: Frame): Output {
  const parsed = schema.safeParse(frame.header);
  if (parsed.success) return parsed.data;
  throw malformed(`a ${frame.kind} message`, parsed.error.issues[0]?.message);
}

export function malformed(what: string, why = 'it has another form'): TeletrainError {
  return new TeletrainError(
    'malformed-message',
    `The worker sent ${what} that cannot be read: ${why}.`,
    {
      hint: 'Use the same version of teletrain on both ends.',
    },
  );
}

/** Close codes after which trying again would only fail again. */
export const isRefusal = (code: number): boolean =>
  code === closeCodes.unauthorised || code === closeCodes.unsupportedVersion;

/** What a refusal means where the worker gave no words for it. */
export function refusalFor(code: number): TeletrainError {
  return code === closeCodes.unsupportedVersion
    ? new TeletrainError(
        'unsupported-version',
        'The worker speaks no version of the protocol that this client knows.',
        {
          hint: 'Use the same version of teletrain on both ends.',
        },
      )
    : new TeletrainError('unauthorised', 'The worker does not accept the token or code.', {
        hint: 'Pair with it again: teletrain connect <url>, with the code it prints.',
      });
}

export function sentenceFor(code: number): string {
  if (code === closeCodes.workerStopping) return 'the worker is stopping';
  if (code === closeCodes.tooManyAttempts) return 'the worker takes no attempts for a minute';
  return `the connection broke (${code})`;
}
