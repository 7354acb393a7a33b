import { mostWaiting } from '../../shared/frame-sender.ts';
import { limits } from '../../shared/limits.ts';
import { Agreement, silenceSlackMs } from './agreement.ts';
import { Chance } from './chance.ts';
import { Machine } from './machine.ts';
import type { Entry, Plan } from './plan.ts';
import { SimulatedClient } from './simulated-client.ts';
import { type Parts, realParts, SimulatedGateway, workerNames } from './simulated-gateway.ts';
import { type Line, type NetworkTrouble, Route } from './simulated-network.ts';
import { Witness } from './witness.ts';
import { Violation, World } from './world.ts';

/** A socket may hold the bytes above which more waits, and what was put on top of them. */
const socketBytes = mostWaiting.calls + 2 * limits.chunkBytes;

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
    life.end();
    Error.stackTraceLimit = stackTraceLimit;
  }
  return { ms: world.now, steps: world.steps, violation, trace: world.trace ?? [] };
}

class Life {
  readonly #plan: Plan;
  readonly #world: World;
  readonly #witness: Witness;
  readonly #gateways: SimulatedGateway[] = [];
  readonly #clients: SimulatedClient[] = [];
  /** By the way to a worker: how long the client's program was awake when it last heard something. */
  readonly #heard = new Map<Route, number>();

  constructor(plan: Plan, world: World, parts: Parts) {
    this.#plan = plan;
    this.#world = world;
    this.#witness = new Witness(world);
    const chance = (who: string): Chance => new Chance(who, plan.seed);
    for (let number = 0; number < plan.workers; number += 1) {
      const name = number === 0 ? 'worker' : `worker-${number}`;
      const machine = new Machine(name, world, chance(name));
      const onLoaded = () => this.#witness.compare(machine);
      const { habits, tensors } = plan;
      this.#gateways.push(new SimulatedGateway({ machine, habits, tensors, parts, onLoaded }));
    }
    for (let number = 0; number < plan.clients; number += 1) {
      const name = `laptop-${number}`;
      const machine = new Machine(name, world, chance(name));
      const routes = this.#gateways.map((gateway) => {
        const to = gateway.machine.name;
        const luck = chance(`route-${number} to ${to}`);
        const route = new Route(machine, gateway, luck, (end, line, message) => {
          this.#witness.delivered(end, to, name, message);
          if (end === 'client' && line.purpose === 'runs')
            this.#heard.set(route, line.program.awakeTime);
        });
        route.accept = () => gateway.accept;
        return route;
      });
      this.#clients.push(new SimulatedClient(machine, routes, this.#witness, plan.tensors));
    }
    for (const gateway of this.#gateways) gateway.pair(this.#clients);
    world.invariants.push(() => this.#look());
  }

  /** @throws Violation. */
  async pass(): Promise<void> {
    const { entries, ms } = this.#plan;
    for (const gateway of this.#gateways) gateway.boot();
    for (const client of this.#clients) client.launch();
    for (const entry of entries) {
      this.#world.after(entry.at, () => {
        this.#world.say('PLAN', () => JSON.stringify(entry));
        this.#happen(entry);
      });
    }
    await this.#world.until(ms);
    await new Agreement(this.#world, this.#witness, this.#gateways, this.#clients).reach();
  }

  /** Nothing of it is left. */
  end(): void {
    for (const gateway of this.#gateways) gateway.down();
  }

  /** By an entry's number: a client's, or the first worker's (-1) or the second one's. */
  #machine(number: number): Machine | undefined {
    return (number < 0 ? this.#gateways[-1 - number] : this.#clients[number])?.machine;
  }

  #happen(entry: Entry): void {
    const client = 'client' in entry ? this.#clients[entry.client] : undefined;
    const gateway = this.#gateways['worker' in entry ? (entry.worker ?? 0) : 0];
    const later = (ms: number, call: () => void): void => {
      this.#world.after(ms, call);
    };
    switch (entry.kind) {
      case 'deed':
        client?.perform(entry.deed);
        return;
      case 'cut':
        for (const line of client?.lines(entry.worker) ?? []) line.break(entry.isHalfOpen);
        return;
      case 'silence':
      case 'refuse':
      case 'slow': {
        if (!client) return;
        const isOver = client.trouble(troubleOf(entry), entry.worker);
        later(entry.ms, isOver);
        return;
      }
      case 'spoil':
        client?.spoil(entry.to, entry.how, entry.worker);
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
        if (client) client.machine.clockOffset += entry.ms;
        return;
      case 'worker-clock':
        if (gateway) gateway.machine.clockOffset += entry.ms;
        return;
      case 'worker-down':
        if (!gateway) return;
        this.#down(gateway, entry.hasPower);
        later(entry.ms, () => gateway.up());
        return;
      case 'engine-crash':
        gateway?.running?.engine.crash('was killed by SIGKILL');
        return;
      case 'tensor-crash':
        gateway?.crashTensors();
        return;
      case 'disk':
      case 'slow-disk': {
        const disk = this.#machine(entry.client)?.disk;
        if (!disk) return;
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

  #down(gateway: SimulatedGateway, hasPower: boolean): void {
    const { machine } = gateway;
    const { program } = machine;
    if (!program) return;
    gateway.down();
    if (hasPower) machine.kill();
    else machine.losePower();
    for (const line of this.#clients.flatMap((client) => client.lines())) {
      line.programEnded(program, !hasPower);
    }
  }

  /** After every step. */
  #look(): void {
    for (const client of this.#clients) {
      for (const { lines } of client.routes) for (const line of lines) this.#lookAt(line);
      this.#lookAtState(client);
    }
  }

  #lookAt(line: Line): void {
    const { client, worker } = line.memory;
    if (Math.max(client, worker) <= socketBytes) return;
    this.#world.violate(`a socket holds ${Math.max(client, worker)} bytes`);
  }

  /** "Connected" is never shown for longer than `silenceMs` after the last that was heard. */
  #lookAtState({ machine, program, handles, routes }: SimulatedClient): void {
    if (!program || program.isAsleep) return;
    for (const { view } of handles.values()) {
      if (view.connection.kind !== 'connected') continue;
      const route = routes[workerNames.indexOf(view.worker ?? '')];
      if (!route) continue;
      if ([...route.lines].some((line) => line.isPaused)) this.#heard.set(route, program.awakeTime);
      const silent = program.awakeTime - (this.#heard.get(route) ?? program.awakeTime);
      if (silent > limits.silenceMs + silenceSlackMs) {
        this.#world.violate(
          `${machine.name} shows "connected" and has heard nothing for ${Math.round(silent)} ms`,
        );
      }
    }
  }
}

function troubleOf(entry: Extract<Entry, { kind: 'silence' | 'refuse' | 'slow' }>): NetworkTrouble {
  if (entry.kind === 'silence') return { silent: entry.way };
  return entry.kind === 'refuse' ? { refused: true } : { slowness: entry.times };
}
