import { spawn } from 'node:child_process';
import { TeletrainError } from '../../shared/errors.ts';
import { workerProgram } from './installation.ts';

/**
 * Runs one of the worker's programs that prints one JSON document and ends. What it says of its
 * progress on standard error is passed on.
 * @param program e.g. "native/doctor".
 * @param options.signal Aborting it ends the program's standard input, at which it has to end;
 * without a signal it gets none.
 * @throws TeletrainError `worker-program-failed`; the signal's reason, once the program has ended.
 */
export async function askWorkerProgram(
  program: string,
  args: readonly string[] = [],
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<unknown> {
  const child = spawn(process.execPath, [workerProgram(program), ...args], {
    stdio: [signal ? 'pipe' : 'ignore', 'pipe', 'inherit'],
  });
  const abort = () => child.stdin?.destroy();
  signal?.addEventListener('abort', abort);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  signal?.removeEventListener('abort', abort);
  signal?.throwIfAborted();
  if (code === 0) {
    try {
      return JSON.parse(text);
    } catch {
      // Told below: a document that is none.
    }
  }
  throw new TeletrainError(
    'worker-program-failed',
    `The worker's program ${program} ended with ${code === null ? 'a signal' : `code ${code}`}${code === 0 ? ' and no result' : ''}.`,
    {
      hint: 'What it said is above; if it says nothing of use, please report it.',
    },
  );
}

/** Runs one of the worker's programs with this terminal until it ends; signals reach it. Returns its exit code. */
export function becomeWorkerProgram(program: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [workerProgram(program), ...args], { stdio: 'inherit' });
  const passOn = (signal: NodeJS.Signals) => {
    // A key press in a terminal signals the child too: not twice.
    if (signal === 'SIGINT' && process.stdin.isTTY) return;
    child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, passOn);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      for (const signal of signals) process.removeListener(signal, passOn);
      resolve(code ?? 1);
    });
  });
}
