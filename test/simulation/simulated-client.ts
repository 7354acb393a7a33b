import { createClient } from '../../client/session/client.ts';
import type { RunHandle, TeletrainClient } from '../../client/session/types.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { isDiskTrouble } from './faults.ts';
import type { Machine, Program } from './machine.ts';
import { workerUrl } from './simulated-gateway.ts';
import type { Route } from './simulated-network.ts';
import type { Witness } from './witness.ts';
import { describe } from './world.ts';

export const clientHome = '/home';
export const workerName = 'colab';

/** What a person may ask of a program. */
export type Deed =
  | { readonly do: 'start'; readonly epochs: number }
  /** The newest run, or one of a name. */
  | { readonly do: 'open'; readonly run?: string }
  | { readonly do: 'pause' }
  | { readonly do: 'resume'; readonly run?: string }
  | { readonly do: 'stop'; readonly when: 'now' | 'epoch' }
  | { readonly do: 'change'; readonly epochs: number }
  | { readonly do: 'close' }
  | { readonly do: 'quit' }
  /** Control of the worker, from whoever has it. */
  | { readonly do: 'take' }
  | { readonly do: 'list' };

/** A laptop with a person: the real client, whose program may be killed and started again. */
export class SimulatedClient {
  readonly machine: Machine;
  readonly route: Route;
  readonly id: string;
  readonly token: string;
  readonly #witness: Witness;
  #client: TeletrainClient | undefined;
  readonly handles = new Map<string, RunHandle>();
  /** What was asked of the program that runs, and neither done nor refused yet. */
  readonly underway = new Set<string>();
  #deeds = 0;

  constructor(machine: Machine, route: Route, witness: Witness) {
    this.machine = machine;
    this.route = route;
    this.#witness = witness;
    this.id = `${machine.name}-0123456789`;
    this.token = machine.chance.bytes(32).toString('base64url');
    const paired = {
      ...{ name: workerName, url: workerUrl, id: 'the-worker', token: this.token, addedAt: 1 },
      role: 'control',
    };
    const { disk } = machine;
    disk.place(`${clientHome}/client/client.json`, JSON.stringify({ id: this.id }));
    const workers = JSON.stringify({ format: 1, workers: [paired] });
    disk.place(`${clientHome}/client/workers.json`, workers);
  }

  get program(): Program | undefined {
    return this.machine.program;
  }

  launch(): void {
    this.machine.world.say(this.machine.name, () => 'starts');
    const program = this.machine.launch();
    this.handles.clear();
    this.underway.clear();
    this.#client = createClient({
      home: clientHome,
      system: program.system,
      openSocket: this.route.opener(program),
    });
  }

  /** Killed, or without power. */
  down(hasPower: boolean): void {
    const { program } = this;
    if (hasPower) this.machine.kill();
    else this.machine.losePower();
    this.#client = undefined;
    this.handles.clear();
    this.underway.clear();
    if (!program) return;
    for (const line of this.route.lines) line.programEnded(program, !hasPower);
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
          on: workerName,
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
        await client.takeControl(workerName);
        return;
      case 'list':
        await client.runs();
    }
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
