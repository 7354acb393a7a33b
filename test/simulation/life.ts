import { isDeepStrictEqual } from 'node:util';
import type { RunView } from '../../client/session/types.ts';
import { isFinal } from '../../shared/events.ts';
import { mostWaiting } from '../../shared/frame-sender.ts';
import { limits } from '../../shared/limits.ts';
import { manifestSchema } from '../../shared/run.ts';
import type { Run } from '../../worker/gateway/run.ts';
import { Chance } from './chance.ts';
import { Machine } from './machine.ts';
import type { Entry, Plan } from './plan.ts';
import { clientHome, SimulatedClient } from './simulated-client.ts';
import { sha256, weightsAfter } from './simulated-engine.ts';
import { type Parts, realParts, SimulatedGateway, workerHome } from './simulated-gateway.ts';
import { Route } from './simulated-network.ts';
import { journalOf, Witness } from './witness.ts';
import { Violation, World } from './world.ts';

/** All must be as it should be so long after the last trouble. */
const calmMs = 30 * 60_000;
/** A socket may hold the bytes above which more waits, and what was put on top of them. */
const socketBytes = mostWaiting.calls + 2 * limits.chunkBytes;
/** How much later than `silenceMs` a dead line may be noticed. */
const silenceSlackMs = 1_000;
/**
 * So long after the last trouble whoever is connected must show the state that the run is in: until
 * then a line may be dead, and nobody can know.
 */
const quietMs = limits.silenceMs + silenceSlackMs;

export interface LifeOptions {
  readonly traced?: boolean;
  readonly parts?: Partial<Parts>;
}

export interface Lived {
  /** Milliseconds that passed in it. */
  readonly ms: number;
  readonly steps: number;
  /** What must not be and was. */
  readonly violation: string | undefined;
  readonly trace: readonly string[];
}

/** Lives one plan through. The same plan always lives the same. */
export async function live(plan: Plan, options: LifeOptions = {}): Promise<Lived> {
  const { traced = false } = options;
  const world = new World({ traced });
  // Many errors are made on purpose; where they come from is told when somebody reads it.
  const { stackTraceLimit } = Error;
  if (!traced) Error.stackTraceLimit = 0;
  const life = new Life(plan, world, { ...realParts, ...options.parts });
  let violation: string | undefined;
  try {
    await life.pass();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = error.message;
    world.say('VIOLATION', () => error.message);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return { ms: world.now, steps: world.steps, violation, trace: world.trace ?? [] };
}

class Life {
  readonly #plan: Plan;
  readonly #world: World;
  readonly #witness: Witness;
  readonly #gateway: SimulatedGateway;
  readonly #clients: SimulatedClient[] = [];
  /** By client: how long its program was awake when it last heard something. */
  readonly #heard = new Map<SimulatedClient, number>();

  constructor(plan: Plan, world: World, parts: Parts) {
    this.#plan = plan;
    this.#world = world;
    this.#witness = new Witness(world);
    const chance = (who: string): Chance => new Chance(who, plan.seed);
    const worker = new Machine('worker', world, chance('worker'));
    this.#gateway = new SimulatedGateway({
      machine: worker,
      habits: plan.habits,
      parts,
      onLoaded: () => this.#witness.compare(worker.disk),
    });
    for (let number = 0; number < plan.clients; number += 1) {
      const name = `laptop-${number}`;
      const machine = new Machine(name, world, chance(name));
      const route = new Route(machine, worker, chance(`route-${number}`), (to, line, message) => {
        this.#witness.delivered(to, name, line, message);
        if (to === 'client') this.#heardOn(line.program);
      });
      route.accept = () => this.#gateway.accept;
      this.#clients.push(new SimulatedClient(machine, route, this.#witness));
    }
    this.#gateway.pair(this.#clients);
    world.invariants.push(() => this.#look());
  }

  /** @throws Violation. */
  async pass(): Promise<void> {
    const { entries, ms } = this.#plan;
    this.#gateway.boot();
    for (const client of this.#clients) client.launch();
    for (const entry of entries) {
      this.#world.after(entry.at, () => {
        this.#world.say('PLAN', () => JSON.stringify(entry));
        this.#happen(entry);
      });
    }
    await this.#world.until(ms);
    await this.#calm();
  }

  #heardOn(program: { readonly awakeTime: number }): void {
    for (const client of this.#clients) {
      if (client.program === program) this.#heard.set(client, program.awakeTime);
    }
  }

  #machine(number: number): Machine {
    return this.#clients[number]?.machine ?? this.#gateway.machine;
  }

  #happen(entry: Entry): void {
    const client = 'client' in entry ? this.#clients[entry.client] : undefined;
    const later = (ms: number, call: () => void): void => {
      this.#world.after(ms, call);
    };
    switch (entry.kind) {
      case 'deed':
        client?.perform(entry.deed);
        return;
      case 'cut':
        for (const line of client?.route.lines ?? []) line.break(entry.isHalfOpen);
        return;
      case 'silence':
      case 'refuse':
      case 'slow': {
        if (!client) return;
        const { route } = client;
        if (entry.kind === 'silence') route.trouble = { silent: entry.way };
        if (entry.kind === 'refuse') route.trouble = { refused: true };
        if (entry.kind === 'slow') route.trouble = { slowness: entry.times };
        const { trouble } = route;
        later(entry.ms, () => {
          if (route.trouble === trouble) route.trouble = {};
        });
        return;
      }
      case 'spoil':
        for (const line of client?.route.lines ?? []) line.spoil(entry.to, entry.how);
        return;
      case 'client-down':
        if (!client?.program) return;
        client.down(entry.hasPower);
        later(entry.ms, () => {
          if (client.program) return;
          client.launch();
          client.perform({ do: 'open' });
        });
        return;
      case 'client-sleep': {
        const program = client?.program;
        program?.sleep();
        later(entry.ms, () => program?.wake());
        return;
      }
      case 'client-clock':
      case 'worker-clock':
        this.#machine('client' in entry ? entry.client : -1).clockOffset += entry.ms;
        return;
      case 'worker-down':
        this.#downWorker(entry.hasPower);
        later(entry.ms, () => this.#upWorker());
        return;
      case 'engine-crash':
        this.#gateway.running?.engine.crash('was killed by SIGKILL');
        return;
      case 'disk':
      case 'slow-disk': {
        const { disk } = this.#machine(entry.client);
        disk.trouble =
          entry.kind === 'disk'
            ? { failing: { code: entry.code, probability: entry.probability } }
            : { slowness: entry.times };
        const { trouble } = disk;
        later(entry.ms, () => {
          if (disk.trouble === trouble) disk.trouble = {};
        });
      }
    }
  }

  #downWorker(hasPower: boolean): void {
    const { machine } = this.#gateway;
    const { program } = machine;
    if (!program) return;
    this.#gateway.down();
    if (hasPower) machine.kill();
    else machine.losePower();
    for (const { route } of this.#clients) {
      for (const line of route.lines) line.programEnded(program, !hasPower);
    }
  }

  #upWorker(): void {
    if (!this.#gateway.machine.program) this.#gateway.boot();
  }

  /** After every step. */
  #look(): void {
    for (const client of this.#clients) {
      for (const line of client.route.lines) {
        const { client: here, worker: there } = line.memory;
        if (Math.max(here, there) > socketBytes) {
          this.#world.violate(`a socket holds ${Math.max(here, there)} bytes`);
        }
      }
      this.#lookAtState(client);
    }
  }

  /** "Connected" is never shown for longer than `silenceMs` after the last that was heard. */
  #lookAtState(client: SimulatedClient): void {
    const { program } = client;
    if (!program || program.isAsleep) return;
    if ([...client.route.lines].some((line) => line.isPaused)) this.#heardOn(program);
    for (const { view } of client.handles.values()) {
      if (view.connection.kind !== 'connected') continue;
      const silent = program.awakeTime - (this.#heard.get(client) ?? program.awakeTime);
      if (silent > limits.silenceMs + silenceSlackMs) {
        this.#world.violate(
          `${client.machine.name} shows "connected" and has heard nothing for ${Math.round(silent)} ms`,
        );
      }
    }
  }

  /** No more trouble: everybody must come to agree, and every run to its end. */
  async #calm(): Promise<void> {
    const world = this.#world;
    world.say('CALM', () => 'no more trouble');
    for (const machine of [this.#gateway.machine, ...this.#clients.map((client) => client.machine)])
      machine.disk.trouble = {};
    this.#upWorker();
    for (const client of this.#clients) {
      client.route.trouble = {};
      client.program?.wake();
    }
    await world.until(world.now + quietMs);
    this.#compareStates();
    const end = world.now + calmMs;
    for (const client of this.#clients) {
      // A program whose disk failed it says so and keeps nothing more: a person starts it again.
      if (client.program && client.machine.disk.hasFailed) client.down(true);
      if (!client.program) client.launch();
    }
    let askedAt = 0;
    let lookedAt = 0;
    const isSettled = (): boolean => {
      if (world.now < lookedAt + 500) return false;
      lookedAt = world.now;
      if (world.now > askedAt + 60_000) {
        askedAt = world.now;
        this.#goOn();
      }
      return this.#isSettled();
    };
    this.#goOn();
    if (!(await world.until(end, isSettled))) this.#tellWhatIsMissing();
    else this.#compareAll();
    await world.until(world.now);
  }

  #compareStates(): void {
    for (const { handles, machine } of this.#clients) {
      for (const { id, view } of handles.values()) {
        const run = this.#gateway.running?.runs.find(id);
        if (view.connection.kind !== 'connected' || view.lastSeq !== run?.lastSeq) continue;
        if (machine.disk.hasFailed || view.state === run.fold.state) continue;
        this.#world.violate(
          `${machine.name} shows ${view.state}, and the run is ${run.fold.state}`,
        );
      }
    }
  }

  /** What a person does who wants to see the runs end. */
  #goOn(): void {
    const [first] = this.#clients;
    const run = this.#chosen();
    if (!run) return;
    for (const client of this.#clients) {
      // A person may have ended it themselves.
      if (!client.program) client.launch();
      client.perform({ do: 'open', run: run.id });
    }
    const { state } = run.fold;
    if (state !== 'paused' && state !== 'failed') return;
    // The other laptop may be connected and have it; who takes it late asks again the next time.
    first?.perform({ do: 'take' });
    first?.perform({ do: 'resume', run: run.id });
  }

  /** The run that everybody looks at in the end: the one that trains, or the newest. */
  #chosen(): Run | undefined {
    const { running } = this.#gateway;
    return running?.training.active ?? running?.runs.newest(1)[0];
  }

  #isSettled(): boolean {
    const { running } = this.#gateway;
    if (!running) return false;
    const run = this.#chosen();
    if (running.runs.all.some(({ fold }) => !isFinal(fold.state))) return false;
    if (!run) return true;
    return this.#clients.every((client) => {
      if (client.underway.size > 0) return false;
      if (!client.handles.has(run.id)) return false;
      return [...client.handles.values()].every((handle) =>
        this.#isHome(client, handle.view, running.runs.find(handle.id)),
      );
    });
  }

  #isHome({ machine }: SimulatedClient, view: RunView, run: Run | undefined): boolean {
    if (view.connection.kind !== 'connected' || view.lastSeq !== run?.lastSeq) return false;
    if (view.checkpoints.some(({ home }) => ['waiting', 'arriving'].includes(home.state))) {
      return false;
    }
    const kept = journalOf(machine.disk, `${clientHome}/client/runs/${run.id}/journal`);
    return kept.length === run.lastSeq;
  }

  #tellWhatIsMissing(): void {
    const runs = this.#gateway.running?.runs.all.map(
      ({ id, lastSeq, fold }) => `${id} ${fold.state} up to ${lastSeq}`,
    );
    const views = this.#clients.map(({ machine, handles, underway }) => {
      const seen = [...handles.values()].map(
        ({ id, view }) =>
          `${id} ${view.state} up to ${view.lastSeq}, ${JSON.stringify(view.connection)}, ${JSON.stringify(view.checkpoints.map(({ home }) => home.state))}`,
      );
      const waits = [...underway].join(', ');
      return `${machine.name}: ${seen.join('; ') || 'nothing'}${waits && `; waits for ${waits}`}`;
    });
    this.#world.violate(
      `half an hour after the last trouble not everything has arrived. Worker: ${runs?.join('; ')}. ${views.join('. ')}`,
    );
  }

  #compareAll(): void {
    const { running, machine } = this.#gateway;
    this.#witness.compare(machine.disk);
    for (const run of running?.runs.all ?? []) {
      const journal = journalOf(machine.disk, `${workerHome}/runs/${run.id}/journal`);
      for (const client of this.#clients) {
        const { disk, name } = client.machine;
        const folder = `${clientHome}/client/runs/${run.id}`;
        const copy = journalOf(disk, `${folder}/journal`);
        const wrong = copy.findIndex((event, index) => !isDeepStrictEqual(event, journal[index]));
        if (wrong >= 0) {
          this.#world.violate(
            `${name} has ${JSON.stringify(copy[wrong])} where the worker has ${JSON.stringify(journal[wrong])}`,
          );
        }
        this.#lookAtCheckpoints(client, folder);
        const view = client.handles.get(run.id)?.view;
        if (view && view.state !== run.fold.state) {
          this.#world.violate(`${name} shows ${view.state}, and the run is ${run.fold.state}`);
        }
        const losses = view?.series.get('train/loss/step');
        for (let index = 0; losses && index < losses.length; index += 1) {
          const step = losses.steps[index] ?? 0;
          if (step !== index + 1 || losses.values[index] !== weightsAfter(run.id, step)) {
            this.#world.violate(`${name} shows another loss at point ${index} than was trained`);
          }
        }
      }
    }
  }

  /** What is at home under a checkpoint's name is whole. */
  #lookAtCheckpoints({ machine }: SimulatedClient, folder: string): void {
    const { disk, name } = machine;
    for (const id of disk.names(`${folder}/checkpoints`)) {
      if (!/^step-\d{9}$/.test(id)) continue;
      const place = `${folder}/checkpoints/${id}`;
      const manifest = manifestSchema.parse(
        JSON.parse(disk.peek(`${place}/manifest.json`)?.toString() ?? 'null'),
      );
      for (const file of manifest.files) {
        const bytes = disk.peek(`${place}/${file.name}`);
        if (bytes && sha256(bytes) === file.sha256) continue;
        this.#world.violate(`${name} has a checkpoint ${id} whose ${file.name} is not whole`);
      }
    }
  }
}
