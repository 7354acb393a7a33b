import { createClient } from '../../client/session/client.ts';
import type { OpenSocket } from '../../client/session/socket.ts';
import type { RunHandle, TeletrainClient } from '../../client/session/types.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { isDiskTrouble } from './faults.ts';
import type { Machine, Program } from './machine.ts';
import { workerNames } from './simulated-gateway.ts';
import type { Line, NetworkTrouble, Purpose, Route } from './simulated-network.ts';
import type { TensorHabits } from './simulated-tensor-engine.ts';
import { TensorProgram } from './tensor-program.ts';
import type { Witness } from './witness.ts';
import { describe } from './world.ts';

export const clientHome = '/home';

/** What a person may ask of a program. */
export type Deed =
  | { readonly do: 'start'; readonly epochs: number; readonly worker?: number }
  /** The newest run, or one of a name. */
  | { readonly do: 'open'; readonly run?: string }
  | { readonly do: 'pause' }
  | { readonly do: 'resume'; readonly run?: string }
  | { readonly do: 'stop'; readonly when: 'now' | 'epoch' }
  | { readonly do: 'change'; readonly epochs: number }
  | { readonly do: 'close' }
  | { readonly do: 'quit' }
  /** Control of a worker, from whoever has it. */
  | { readonly do: 'take'; readonly worker?: number }
  /** Goes on with a run at a worker, the one that has it or another. */
  | {
      readonly do: 'move';
      readonly to: number;
      /** What another copy there did, and is not at home, is given up. */
      readonly replace: boolean;
      readonly run?: string;
    }
  | { readonly do: 'list' }
  /** A program of theirs that computes with tensors on a worker, drawn by `salt`. */
  | {
      readonly do: 'compute';
      readonly worker: number;
      readonly commands: number;
      readonly salt: number;
    }
  /** That program ends. */
  | { readonly do: 'leave' };

/** A laptop with a person: the real client, whose program may be killed and started again. */
export class SimulatedClient {
  readonly machine: Machine;
  /** To each worker. */
  readonly routes: readonly Route[];
  readonly id: string;
  readonly token: string;
  readonly #witness: Witness;
  #client: TeletrainClient | undefined;
  readonly handles = new Map<string, RunHandle>();
  /** What was asked of the program that runs, and neither done nor refused yet. */
  readonly underway = new Set<string>();
  #deeds = 0;
  readonly #tensorHabits: TensorHabits | undefined;
  #tensors: { readonly program: TensorProgram; readonly opened: Promise<void> } | undefined;

  constructor(
    machine: Machine,
    routes: readonly Route[],
    witness: Witness,
    tensors?: TensorHabits,
  ) {
    this.#tensorHabits = tensors;
    this.machine = machine;
    this.routes = routes;
    this.#witness = witness;
    this.id = `${machine.name}-0123456789`;
    this.token = machine.chance.bytes(32).toString('base64url');
    const workers = routes.map(({ end, worker }, index) => ({
      ...{ name: workerNames[index], url: end.url, id: worker.name, token: this.token, addedAt: 1 },
      role: 'control',
    }));
    const { disk } = machine;
    disk.place(`${clientHome}/client/client.json`, JSON.stringify({ id: this.id }));
    disk.place(`${clientHome}/client/workers.json`, JSON.stringify({ format: 1, workers }));
  }

  get program(): Program | undefined {
    return this.machine.program;
  }

  /** Whether a program of its has a tensor session. */
  get hasTensors(): boolean {
    return this.#tensors !== undefined && !this.#tensors.program.hasEnded;
  }

  /** What a middlebox does to the next message. */
  spoil(to: 'worker' | 'client', how: 'split' | 'truncated', worker?: number): void {
    this.#tensors?.program.spoil();
    for (const line of this.lines(worker)) line.spoil(to, how);
  }

  /** All its sockets, or those to one worker. */
  lines(worker?: number): readonly Line[] {
    return this.#routesTo(worker).flatMap(({ lines }) => [...lines]);
  }

  /** What its network does, to all workers or to one. */
  trouble(trouble: NetworkTrouble, worker?: number): () => void {
    const routes = this.#routesTo(worker);
    for (const route of routes) route.trouble = trouble;
    return () => {
      for (const route of routes) if (route.trouble === trouble) route.trouble = {};
    };
  }

  launch(): void {
    this.machine.world.say(this.machine.name, () => 'starts');
    const program = this.machine.launch();
    this.handles.clear();
    this.underway.clear();
    this.#client = createClient({
      home: clientHome,
      system: program.system,
      openSocket: this.#opener(program, 'runs'),
    });
  }

  /** Killed, or without power. */
  down(hasPower: boolean): void {
    const { program } = this;
    if (hasPower) this.machine.kill();
    else this.machine.losePower();
    this.#client = undefined;
    this.#tensors = undefined;
    this.handles.clear();
    this.underway.clear();
    if (!program) return;
    for (const line of this.lines()) line.programEnded(program, !hasPower);
  }

  /** Does something, as a person would: what fails with words for a person is theirs to read. */
  perform(deed: Deed): void {
    const { program } = this;
    const client = this.#client;
    if (!program || !client || program.isAsleep) return;
    const { world, name } = this.machine;
    world.say(name, () => `wants: ${JSON.stringify(deed)}`);
    this.#deeds += 1;
    const key = `${deed.do} (${this.#deeds})`;
    this.underway.add(key);
    this.#do(deed, client, program).then(
      () => {
        this.underway.delete(key);
        world.say(name, () => `did: ${deed.do}`);
      },
      (error: unknown) => {
        this.underway.delete(key);
        if (isForPerson(error)) world.say(name, () => `${deed.do}: ${error.message}`);
        else world.violate(`${name}: ${deed.do} failed with ${describe(error)}`);
      },
    );
  }

  async #do(deed: Deed, client: TeletrainClient, program: Program): Promise<void> {
    const latest = [...this.handles.values()].at(-1);
    switch (deed.do) {
      case 'start': {
        const handle = await client.startRun({
          recipe: 'digits-pixel-rnn',
          settings: { epochs: deed.epochs },
          quick: true,
          on: workerNames[deed.worker ?? 0] ?? '',
        });
        this.#hold(handle, program);
        return;
      }
      case 'open': {
        const id = deed.run ?? this.#witness.newestRun();
        if (id === undefined || this.handles.has(id)) return;
        this.#hold(await client.openRun(id), program);
        return;
      }
      case 'pause':
        return latest?.pause();
      case 'resume':
        return (deed.run === undefined ? latest : this.handles.get(deed.run))?.resume();
      case 'stop':
        return latest?.stop(deed.when);
      case 'change':
        return latest?.change({ epochs: deed.epochs });
      case 'close':
        if (!latest) return;
        this.handles.delete(latest.id);
        return latest.close();
      case 'quit': {
        this.handles.clear();
        await client.close();
        if (!program.hasEnded) this.down(true);
        return;
      }
      case 'take':
        await client.takeControl(workerNames[deed.worker ?? 0]);
        return;
      case 'move': {
        const id = deed.run ?? latest?.id ?? this.#witness.newestRun();
        const on = workerNames[deed.to];
        if (id === undefined || on === undefined) return;
        this.#hold(await client.resumeRun(id, { on, replace: deed.replace }), program);
        return;
      }
      case 'compute': {
        const computing = await this.#computing(deed.worker, program);
        if (!computing || computing.hasEnded) return;
        computing.compute(deed.commands, deed.salt);
        return computing.settled();
      }
      case 'leave': {
        const computing = this.#tensors?.program;
        this.#tensors = undefined;
        return computing?.close();
      }
      case 'list':
        await client.runs();
    }
  }

  #opener(program: Program, purpose: Purpose): OpenSocket {
    return (url, listener) => {
      const route = this.routes.find(({ end }) => end.url === url) ?? this.routes[0];
      if (!route) throw new Error(`There is no way to ${url}.`);
      return route.opener(program, purpose)(url, listener);
    };
  }

  /** The program with tensors that runs now, or a new one. */
  async #computing(worker: number, program: Program): Promise<TensorProgram | undefined> {
    const route = this.routes[worker];
    const habits = this.#tensorHabits;
    if (!route || !habits) return undefined;
    if (!this.#tensors || this.#tensors.program.hasEnded) {
      const { world } = this.machine;
      const computing = new TensorProgram({
        ...{ program, home: clientHome, worker: workerNames[worker] ?? '' },
        openSocket: this.#opener(program, 'tensors'),
        facts: () => ({ program: route.worker.program, crashes: route.end.tensorCrashes }),
        now: () => world.now,
        violate: (what) => world.violate(`${this.machine.name}: ${what}`),
        ...{ values: habits.values, quotaBytes: habits.quotaBytes },
      });
      const opened = computing.open();
      const made = { program: computing, opened };
      this.#tensors = made;
      opened.catch(() => {
        if (this.#tensors === made) this.#tensors = undefined;
      });
    }
    const { program: computing, opened } = this.#tensors;
    await opened;
    return computing;
  }

  #routesTo(worker: number | undefined): readonly Route[] {
    return this.routes.filter((_, index) => worker === undefined || index === worker);
  }

  /** Follows the run, and looks at each of its events as a program of somebody else's would. */
  #hold(handle: RunHandle, program: Program): void {
    const known = this.handles.get(handle.id);
    if (known || program.hasEnded) {
      void handle.close();
      return;
    }
    this.handles.set(handle.id, handle);
    const { world, name } = this.machine;
    const read = async (): Promise<void> => {
      let next: number | undefined;
      for await (const event of handle.events()) {
        if (next !== undefined && event.seq !== next) {
          world.violate(`${name} was given event ${event.seq} of ${handle.id} instead of ${next}`);
        }
        next = event.seq + 1;
      }
    };
    read().catch((error: unknown) => {
      if (isForPerson(error)) world.say(name, () => `events: ${error.message}`);
      else world.violate(`${name}: reading events failed with ${describe(error)}`);
    });
  }
}

/** A failure with words for a person, or one of the disk, which the commands put into words. */
const isForPerson = (error: unknown): error is Error =>
  error instanceof TeletrainError || isDiskTrouble(error);
