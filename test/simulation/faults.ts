import { TeletrainError } from '../../shared/errors.ts';

/** Whether an error is, or comes from, one that the simulated disk made up. */
export function isDiskTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.message.includes('(simulated)')) return true;
  return error instanceof TeletrainError && isDiskTrouble(error.cause);
}
