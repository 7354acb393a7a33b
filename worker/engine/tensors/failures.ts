import type { Failure } from '../../../shared/tensors/commands.ts';

/** What a client is told of commands that were not done. */

const longestWords = 2000;

export function told(refusal: Omit<Failure, 'call'>, what: string, call: number): Failure {
  return { ...refusal, message: `${what}: ${refusal.message}.`, call };
}

/** A kernel's words may repeat what it was given. */
export function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return words.length > longestWords ? `${words.slice(0, longestWords)}...` : words;
}

export const noMemory = (what: string, call: number): Failure => ({
  code: 'tensor-memory',
  message: `${what}: the worker has no memory for it.`,
  hint: 'Dispose of tensors that are no longer needed, or work on smaller ones.',
  call,
});

export const tooMuchToSend = (what: string, waiting: number, call: number): Failure => ({
  code: 'tensor-memory',
  message: `${what}: ${waiting} bytes that were read before wait to be sent.`,
  hint: 'Wait for values before asking for more of them.',
  call,
});

export function unknownHandle(handle: number, call: number): Failure {
  return {
    code: 'unknown-tensor',
    message: `The session has no tensor ${handle}; it was disposed of, or never made.`,
    hint: 'Use tensors before they are disposed of, and only with the worker that made them.',
    call,
  };
}
