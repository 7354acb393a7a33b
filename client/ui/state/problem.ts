import { TeletrainError } from '../../../shared/errors.ts';

/** An error as it is shown: what happened and what to do. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** @throws whatever is no error that a user can meet: a programming error is not a message. */
export function problemOf(error: unknown): Problem {
  if (error instanceof TeletrainError) return error.toJSON();
  throw error;
}
