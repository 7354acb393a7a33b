import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../client/session/client.ts';
import { isFinal } from '../../shared/events.ts';
import { ChildOutput } from '../integration/support/child-output.ts';
import { type WorkloadName, workloads } from './workloads.ts';

const compiled = (path: string): string =>
  fileURLToPath(
    new URL(
      import.meta.url.includes('/dist/') ? `../../${path}` : `../../dist/${path}`,
      import.meta.url,
    ),
  );
const teletrain = compiled('client/cli/main.js');
const clientProgram = compiled('test/faults/client-process.js');

export interface ClientOptions {
  readonly home: string;
  /** Name of the paired worker. */
  readonly worker: string;
  readonly workload: WorkloadName;
  readonly kind: 'command' | 'program';
  readonly environment: Readonly<Record<string, string>>;
}

/** One process of a client, from its start to its end. */
export interface ClientEnd {
  readonly args: readonly string[];
  readonly code: number | null;
  readonly killed: boolean;
  /** Of the error that it told. */
  readonly error: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a person does who wants this one run trained: starts it, attaches again, resumes it. */
export class ClientAttempts {
  readonly #options: ClientOptions;
  readonly ends: ClientEnd[] = [];
  #child: ChildProcess | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Ends the client as the system does, if one is there. */
  kill(): boolean {
    return this.#child?.kill('SIGKILL') ?? false;
  }

  /** Has a client of kind `program` say on its standard error what it waits for. */
  ask(): void {
    if (this.#options.kind === 'program') this.#child?.kill('SIGUSR2');
  }

  /** Does what is to be done next, to its end. */
  async next(): Promise<ClientEnd> {
    const args = await this.#command();
    const { home, kind, environment } = this.#options;
    const program = kind === 'command' ? [teletrain, ...args, '--json'] : [clientProgram, ...args];
    const child = spawn(process.execPath, program, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment, TELETRAIN_HOME: home },
    });
    this.#child = child;
    const { code, signal, stdout, stderr } = await new ChildOutput(child).ended;
    // A question that came before it could take one ends it, too.
    const killed = signal !== null;
    const end: ClientEnd = { args, code, killed, error: errorIn(stdout), stdout, stderr };
    this.#child = undefined;
    this.ends.push(end);
    return end;
  }

  async #command(): Promise<string[]> {
    const { home, worker, workload, kind } = this.#options;
    await using stack = new AsyncDisposableStack();
    const client = createClient({ home });
    stack.defer(() => client.close());
    const [run] = await client.runs();
    const last = this.ends.at(-1);
    // Refused, or killed, before the worker knew of it.
    const isNowhere =
      last?.args[0] === 'attach' && ['unknown-run', 'offline'].includes(last.error ?? '');
    if (!run || (isNowhere && run.step === 0)) {
      const { recipe, settings } = workloads[workload];
      if (kind === 'program') return ['run', recipe, JSON.stringify(settings), worker];
      const given = Object.entries(settings).flatMap(([key, value]) => [
        '--set',
        `${key}=${value}`,
      ]);
      return ['run', recipe, '--on', worker, ...given];
    }
    const hasEnded = isFinal(run.state) && run.state !== 'done';
    const isToResume = hasEnded || last?.error === 'journal-failed';
    return [isToResume ? 'resume' : 'attach', run.record.id];
  }
}

/** The code of the error that a client told as the last line of its JSON. */
function errorIn(stdout: string): string | undefined {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  if (!line.startsWith('{"error"')) return undefined;
  return JSON.parse(line).error.code;
}
