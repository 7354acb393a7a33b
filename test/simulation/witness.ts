import { isDeepStrictEqual } from 'node:util';
import type { RunEvent } from '../../shared/events.ts';
import { decodeFrame } from '../../shared/frames.ts';
import { scanRecords } from '../../shared/journal.ts';
import { type MethodName, methods, type WireError } from '../../shared/messages.ts';
import { unpack } from '../../shared/msgpack.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import { workerHome } from './simulated-gateway.ts';
import type { Line } from './simulated-network.ts';
import type { World } from './world.ts';

interface Asked {
  readonly method: MethodName;
  readonly params: unknown;
  answer: unknown;
}

/** What headers hold, as far as it is looked at. */
interface Said {
  readonly id?: string;
  readonly method?: string;
  readonly params?: unknown;
  readonly event?: RunEvent;
  readonly result?: unknown;
  readonly error?: WireError;
}

/** Answers that the ledger never sees: they say that nothing was looked at. */
const passing = new Set(['too-many-requests', 'unknown-method', 'bad-params']);

/**
 * Stands on the wire and remembers what was said: what a client has been told must be true for
 * ever, whatever happens to the worker.
 */
export class Witness {
  readonly #world: World;
  /** By run and number: every event that reached a client. */
  readonly told = new Map<string, Map<number, RunEvent>>();
  /** By client and id: every changing request that reached the worker. */
  readonly asked = new Map<string, Asked>();
  readonly #runs: string[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** The last run that a client knows to have been started. */
  newestRun(): string | undefined {
    return this.#runs.at(-1);
  }

  delivered(to: 'worker' | 'client', client: string, _line: Line, message: Uint8Array): void {
    const kind = message[2];
    // Requests, responses, errors and events.
    if (kind === undefined || kind < 3 || kind > 6) return;
    let header: Said;
    try {
      header = decodeFrame(message).header as Said;
    } catch {
      // Spoilt on the way, on purpose.
      return;
    }
    if (to === 'worker') this.#heardRequest(client, header);
    else if (header.event) this.#toldEvent(header.event);
    else this.#toldAnswer(client, header);
  }

  #heardRequest(client: string, { id, method, params }: Said): void {
    if (id === undefined || method === undefined || !isChanging(method)) return;
    const key = `${client} ${id}`;
    if (this.asked.has(key)) return;
    this.asked.set(key, { method, params, answer: undefined });
  }

  #toldEvent(event: RunEvent): void {
    this.#world.say('told', () => `${event.seq} ${JSON.stringify(event).slice(0, 150)}`);
    let events = this.told.get(event.run);
    if (!events) {
      events = new Map();
      this.told.set(event.run, events);
      if (!this.#runs.includes(event.run)) this.#runs.push(event.run);
    }
    const earlier = events.get(event.seq);
    if (!earlier) events.set(event.seq, event);
    else if (!isDeepStrictEqual(earlier, event)) {
      this.#world.violate(
        `event ${event.seq} of ${event.run} was told as ${JSON.stringify(earlier)} and as ${JSON.stringify(event)}`,
      );
    }
  }

  #toldAnswer(client: string, { id, result, error }: Said): void {
    if (id === undefined || (error && passing.has(error.code))) return;
    const asked = this.asked.get(`${client} ${id}`);
    if (!asked) return;
    const answer = error ?? result;
    if (asked.answer === undefined) asked.answer = answer;
    else if (!isDeepStrictEqual(asked.answer, answer)) {
      this.#world.violate(
        `${asked.method} (${id}) was answered with ${JSON.stringify(asked.answer)} and with ${JSON.stringify(answer)}`,
      );
    }
  }

  /**
   * Looks at what the worker has on disk: everything that was told, as it was told, and the effects of
   * no more commands than there were.
   */
  compare(disk: SimulatedDisk): void {
    this.#compareEffects(disk);
    for (const [run, told] of this.told) {
      const journal = journalOf(disk, `${workerHome}/runs/${run}/journal`);
      for (const [seq, event] of told) {
        const kept = journal[seq - 1];
        if (!isDeepStrictEqual(kept, event)) {
          this.#world.violate(
            `event ${seq} of ${run} was told and is lost: ${JSON.stringify(event)}; on disk is ${JSON.stringify(kept)}`,
          );
          return;
        }
      }
    }
  }

  /** No command was done more often than it was given: each leaves one event. */
  #compareEffects(disk: SimulatedDisk): void {
    const left = new Map<string, number>();
    const count = (run: string, method: string, by: number): number => {
      const key = `${method} of ${run}`;
      const now = (left.get(key) ?? 0) + by;
      left.set(key, now);
      return now;
    };
    const runs = new Set<string>();
    for (const { method, params } of this.asked.values()) {
      // What a request names was checked by the worker, or it was refused.
      const { run, record } = params as { run?: string; record?: { id: string } };
      const id = run ?? record?.id ?? '';
      runs.add(id);
      count(id, method, 1);
    }
    for (const run of runs) {
      for (const event of journalOf(disk, `${workerHome}/runs/${run}/journal`)) {
        const method = commandOf(event);
        if (!method || count(run, method, -1) >= 0) continue;
        this.#world.violate(`a command was done twice: ${JSON.stringify(event)}`);
      }
    }
  }
}

/** The command of whose doing an event is the trace. */
function commandOf(event: RunEvent): MethodName | undefined {
  if (event.type === 'state' && event.state === 'starting') {
    return event.reason === 'resumed' ? 'run.resume' : 'run.start';
  }
  if (event.type !== 'change') return undefined;
  if (event.asked === undefined) return 'run.change';
  if (event.asked === 'pause') return 'run.pause';
  return event.asked === 'continue' ? 'run.resume' : 'run.stop';
}

/** The events of a journal, as they are on a disk. */
export function journalOf(disk: SimulatedDisk, path: string): RunEvent[] {
  const bytes = disk.peek(path) ?? Buffer.alloc(0);
  // They were parsed when they were written.
  return scanRecords(bytes).records.map(({ body }) => unpack(body) as RunEvent);
}

const isChanging = (method: string): method is MethodName =>
  Object.hasOwn(methods, method) && methods[method as MethodName].changes;
