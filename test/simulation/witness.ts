import { isDeepStrictEqual } from 'node:util';
import type { RunEvent } from '../../shared/events.ts';
import { decodeFrame } from '../../shared/frames.ts';
import { scanRecords } from '../../shared/journal.ts';
import { type MethodName, methods, type ParamsOf, type WireError } from '../../shared/messages.ts';
import { unpack } from '../../shared/msgpack.ts';
import type { Machine } from './machine.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import { workerHome } from './simulated-gateway.ts';
import type { World } from './world.ts';

interface Asked {
  readonly worker: string;
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
  /** By worker, run and number: every event that reached a client; others than one only of other copies. */
  readonly #told = new Map<string, Map<string, Map<number, RunEvent[]>>>();
  /** By worker, client and id: every changing request that reached a worker. */
  readonly asked = new Map<string, Asked>();
  readonly #runs: string[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** The last run that a client knows to have been started. */
  newestRun(): string | undefined {
    return this.#runs.at(-1);
  }

  delivered(to: 'worker' | 'client', worker: string, client: string, message: Uint8Array): void {
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
    if (to === 'worker') this.#heardRequest(worker, client, header);
    else if (header.event) this.#toldEvent(worker, header.event);
    else this.#toldAnswer(worker, client, header);
  }

  /** Whether a worker told this event. */
  wasTold(event: RunEvent): boolean {
    return [...this.#told.values()].some((runs) =>
      runs
        .get(event.run)
        ?.get(event.seq)
        ?.some((told) => isDeepStrictEqual(told, event)),
    );
  }

  #heardRequest(worker: string, client: string, { id, method, params }: Said): void {
    if (id === undefined || method === undefined || !isChanging(method)) return;
    const key = `${worker} ${client} ${id}`;
    if (this.asked.has(key)) return;
    this.asked.set(key, { worker, method, params, answer: undefined });
  }

  #toldEvent(worker: string, event: RunEvent): void {
    this.#world.say('told', () => `${event.seq} ${JSON.stringify(event).slice(0, 150)}`);
    if (!this.#runs.includes(event.run)) this.#runs.push(event.run);
    const runs = entryOf(this.#told, worker, () => new Map<string, Map<number, RunEvent[]>>());
    const events = entryOf(runs, event.run, () => new Map<number, RunEvent[]>());
    const told = entryOf(events, event.seq, () => []);
    if (told.some((earlier) => isDeepStrictEqual(earlier, event))) return;
    told.push(event);
    if (told.length === 1 || this.#wasReplaced(worker, event.run)) return;
    this.#world.violate(
      `event ${event.seq} of ${event.run} was told as ${JSON.stringify(told[0])} and as ${JSON.stringify(event)}`,
    );
  }

  /** Whether a copy of the run may have been moved aside there. */
  #wasReplaced(worker: string, run: string): boolean {
    return [...this.asked.values()].some(
      (asked) =>
        asked.worker === worker &&
        asked.method === 'run.import' &&
        (asked.params as ParamsOf<'run.import'>).record.id === run,
    );
  }

  #toldAnswer(worker: string, client: string, { id, result, error }: Said): void {
    if (id === undefined || (error && passing.has(error.code))) return;
    const asked = this.asked.get(`${worker} ${client} ${id}`);
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
   * Looks at what a worker has on disk: everything that was told, as it was told, and the effects of
   * no more commands than there were.
   */
  compare({ name, disk }: Machine): void {
    this.#compareEffects(name, disk);
    for (const [run, told] of this.#told.get(name) ?? []) {
      const copies = copiesOf(disk, run).map(
        (copy) => new Map(copy.map((event) => [event.seq, event])),
      );
      for (const [seq, events] of told) {
        const kept = copies.map((copy) => copy.get(seq));
        for (const event of events) {
          if (kept.some((one) => isDeepStrictEqual(one, event))) continue;
          this.#world.violate(
            `event ${seq} of ${run} was told and is lost: ${JSON.stringify(event)}; on disk is ${JSON.stringify(kept)}`,
          );
          return;
        }
      }
    }
  }

  /** No command was done more often than it was given: each leaves one event. */
  #compareEffects(worker: string, disk: SimulatedDisk): void {
    const left = new Map<string, number>();
    const count = (run: string, method: string, by: number): number => {
      const key = `${method} of ${run}`;
      const now = (left.get(key) ?? 0) + by;
      left.set(key, now);
      return now;
    };
    const runs = new Set<string>();
    for (const asked of this.asked.values()) {
      if (asked.worker !== worker) continue;
      // What a request names was checked by the worker, or it was refused.
      const { run, record } = asked.params as { run?: string; record?: { id: string } };
      const id = run ?? record?.id ?? '';
      runs.add(id);
      count(id, asked.method, 1);
    }
    for (const run of runs) {
      for (const event of copiesOf(disk, run).flat()) {
        const method = commandOf(event);
        if (!method || count(run, method, -1) >= 0) continue;
        this.#world.violate(`a command was done twice: ${JSON.stringify(event)}`);
      }
    }
  }
}

function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** The events that a worker has of a run, and those of its copies that were moved aside. */
function copiesOf(disk: SimulatedDisk, run: string): readonly (readonly RunEvent[])[] {
  const aside = disk.names(`${workerHome}/replaced`).filter((name) => name.startsWith(`${run}-`));
  const folders = [`runs/${run}`, ...aside.map((name) => `replaced/${name}`)];
  return folders.map((folder) => journalOf(disk, `${workerHome}/${folder}/journal`));
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
