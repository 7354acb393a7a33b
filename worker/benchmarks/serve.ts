import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Request, requestSchema, type Times } from './protocol.ts';
import type { Workload } from './workload.ts';

/** A workload that is ready to be timed. */
export interface Prepared {
  /**
   * One step; ends when its result is there. Where not all that it does is to be timed, it gives the
   * milliseconds that are.
   */
  step(): unknown;
  readonly note?: string;
  /** Frees what was prepared; where it is absent, that lives as long as the process. */
  dispose?(): void;
}

/**
 * The participant's half of the protocol, for participants in TypeScript. Returns when standard
 * input ends.
 *
 * @param versions by program
 */
export async function serve(
  versions: Readonly<Record<string, string>>,
  prepare: (workload: Workload) => Prepared | Promise<Prepared>,
): Promise<void> {
  // Ctrl-C reaches the whole process group; the harness ends us.
  process.on('SIGINT', () => {});
  let prepared: Prepared | undefined;
  const answer = async (request: Request): Promise<unknown> => {
    if (request.do === 'prepare') {
      prepared?.dispose?.();
      prepared = await prepare(request.workload);
      return prepared.note === undefined ? {} : { note: prepared.note };
    }
    if (prepared === undefined) throw new Error('Nothing was prepared.');
    return await timeSteps(prepared, request.warm, request.steps);
  };
  say({ versions });
  for await (const line of createInterface(process.stdin)) {
    try {
      say(await answer(requestSchema.parse(JSON.parse(line))));
    } catch (error) {
      say({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }
}

/** Says in place of the greeting why it cannot take part, and ends the process. */
export function refuse(missing: string): never {
  // Before exiting, since what is written to a pipe later may be lost.
  writeSync(process.stdout.fd, `${JSON.stringify({ missing })}\n`);
  process.exit(0);
}

async function timeSteps({ step }: Prepared, warm: number, steps: number): Promise<Times> {
  for (let index = 0; index < warm; index++) await step();
  const wall: number[] = [];
  const before = process.cpuUsage();
  for (let index = 0; index < steps; index++) {
    const start = performance.now();
    const own = await step();
    wall.push(typeof own === 'number' ? own : performance.now() - start);
  }
  const { user, system } = process.cpuUsage(before);
  return { wall, processor: (user + system) / 1000 };
}

function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
