import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

export interface CommandResult {
  /** Exit status; null when a signal or a failed start ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Milliseconds until the command is killed. Default: 30,000. */
  timeout?: number;
  environment?: NodeJS.ProcessEnv;
  /** Receives each line of standard output as it comes. */
  onLine?: (line: string) => void;
}

/** Runs a program without a shell and collects what it prints. Never throws: a failed start has status null. */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeout ?? 30_000,
      env: options.environment ?? process.env,
    });
    let stdout = '';
    let stderr = '';
    let partialLine = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const lines = (partialLine + text).split(/\r?\n|\r/);
      partialLine = lines.pop() ?? '';
      for (const line of lines) options.onLine?.(line);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error) => resolve({ status: null, stdout, stderr: error.message }));
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** The path of the first of these programs that PATH has, or undefined. A name with a slash is taken as a path. */
export async function findProgram(
  names: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  for (const name of names) {
    const places = name.includes('/')
      ? [name]
      : (environment.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
    for (const place of places) {
      try {
        await access(place, constants.X_OK);
        return place;
      } catch {
        // Not there, or not executable: the next place may have it.
      }
    }
  }
  return undefined;
}

/** The last lines of a failed command, fit for one line of a report. */
export function lastWords(result: CommandResult, length = 300): string {
  const lines = `${result.stdout}\n${result.stderr}`
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling = lines.filter((line) => /error|cannot|not found|no such|fatal/i.test(line));
  return (telling.at(0) ?? lines.at(-1) ?? 'no output').slice(0, length);
}
