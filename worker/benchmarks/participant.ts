import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import {
  failureSchema,
  greetingSchema,
  preparedSchema,
  type Request,
  type Times,
  timesSchema,
} from './protocol.ts';
import type { Workload } from './workload.ts';

export interface ParticipantProgram {
  readonly name: string;
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** What to do where it says that something is missing. */
  readonly remedy: string;
}

const errorLines = 12;

/** A process that is timed. One request at a time. */
export class Participant {
  readonly name: string;
  readonly title: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<void>;
  #lastWords: string[] = [];

  private constructor({ name, title, command, args, environment }: ParticipantProgram) {
    this.name = name;
    this.title = title;
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: environment });
    this.#child = child;
    this.#closed = new Promise((resolve) => {
      child.once('close', () => resolve());
      child.once('error', (error) => {
        this.#lastWords.push(error.message);
        resolve();
      });
    });
    // Told by what it answers, or by its end.
    child.stdin.on('error', () => {});
    createInterface(child.stderr).on('line', (line) => {
      this.#lastWords = [...this.#lastWords, line].slice(-errorLines);
    });
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  /**
   * Starts it and hears its greeting.
   * @returns `missing`: why it cannot take part; it has ended then.
   */
  static async start(
    program: ParticipantProgram,
    onStart: (participant: Participant) => void,
  ): Promise<
    | { participant: Participant; versions: Readonly<Record<string, string>> }
    | { readonly missing: string }
  > {
    const participant = new Participant(program);
    onStart(participant);
    const greeting = await participant.#hear(greetingSchema);
    if ('versions' in greeting) return { participant, versions: greeting.versions };
    await participant.end();
    return greeting;
  }

  /** @returns how it was prepared where it had a choice. */
  async prepare(workload: Workload, threads: number): Promise<string | undefined> {
    this.#ask({ do: 'prepare', workload, threads });
    return (await this.#hear(preparedSchema)).note;
  }

  async run(warm: number, steps: number): Promise<Times> {
    this.#ask({ do: 'run', warm, steps });
    return await this.#hear(timesSchema);
  }

  /** Ends it at once, whatever it does, and waits until it is gone. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  #ask(request: Request): void {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
  }

  /** @throws TeletrainError `participant-failed`. */
  async #hear<Schema extends z.ZodType>(schema: Schema): Promise<z.infer<Schema>> {
    const { value: line, done } = await this.#lines.next();
    if (done) {
      await this.#closed;
      throw this.#failed(`It ended.\n${this.#lastWords.join('\n')}`);
    }
    const said: unknown = JSON.parse(line);
    const failure = failureSchema.safeParse(said);
    if (failure.success) throw this.#failed(failure.data.error);
    return schema.parse(said);
  }

  #failed(why: string): TeletrainError {
    return new TeletrainError('participant-failed', `${this.title} could not do its part. ${why}`, {
      hint: `Leave it out by naming the others with --peer, or mend what it says.`,
    });
  }
}
