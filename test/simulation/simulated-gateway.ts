import { createHash } from 'node:crypto';
import { limits } from '../../shared/limits.ts';
import { version } from '../../shared/version.ts';
import { Connection } from '../../worker/gateway/connection.ts';
import { connectionHost } from '../../worker/gateway/connection-host.ts';
import { ControlKeeper } from '../../worker/gateway/control-keeper.ts';
import { findDoneIn } from '../../worker/gateway/done.ts';
import { Door } from '../../worker/gateway/door.ts';
import { createHandlers } from '../../worker/gateway/handlers.ts';
import { LedgerFile } from '../../worker/gateway/ledger-file.ts';
import type { MessageSocket } from '../../worker/gateway/message-socket.ts';
import { Observers } from '../../worker/gateway/observers.ts';
import { Pairing } from '../../worker/gateway/pairing.ts';
import { RequestDesk } from '../../worker/gateway/request-desk.ts';
import { Runs } from '../../worker/gateway/runs.ts';
import { TensorSessions } from '../../worker/gateway/tensor-sessions.ts';
import { Tokens } from '../../worker/gateway/tokens.ts';
import { Training } from '../../worker/gateway/training.ts';
import { Uploads } from '../../worker/gateway/uploads.ts';
import { isDiskTrouble } from './faults.ts';
import type { Machine, Program } from './machine.ts';
import { type EngineHabits, SimulatedEngine } from './simulated-engine.ts';
import { SimulatedTensorEngine, type TensorHabits } from './simulated-tensor-engine.ts';
import { describe } from './world.ts';

export const workerHome = '/home/worker';
/** Names by which clients know the workers, in their order. */
export const workerNames: readonly string[] = ['colab', 'kaggle'];

/** Where a part of the gateway is another one than the real: how the simulator is tested. */
export interface Parts {
  readonly openLedger: typeof LedgerFile.open;
}

const noTensors: TensorHabits = { quotaBytes: 1, batchMs: 1, values: 1 };

export const realParts: Parts = {
  openLedger: (path, system) => LedgerFile.open(path, system),
};

/** What runs while a gateway lives. */
export interface RunningGateway {
  readonly program: Program;
  readonly runs: Runs;
  readonly training: Training;
  readonly engine: SimulatedEngine;
  readonly tensorEngines: ReadonlySet<SimulatedTensorEngine>;
  readonly ledgerFile: LedgerFile;
  readonly control: ControlKeeper;
  readonly desk: RequestDesk;
}

export interface GatewayOptions {
  readonly machine: Machine;
  readonly habits: EngineHabits;
  /** How its tensor engines are, where it has any. */
  readonly tensors?: TensorHabits | undefined;
  readonly parts: Parts;
  /** Called when its runs were read from disk. */
  readonly onLoaded?: (runs: Runs) => void;
  /** A client asked for the worker's end. */
  readonly onStop?: () => void;
}

/** A worker's gateway on a simulated machine: the real parts, put together as gateway.ts does. */
export class SimulatedGateway {
  readonly #options: GatewayOptions;
  #running: RunningGateway | undefined;
  #tensorCrashes = 0;
  #accept: ((socket: MessageSocket) => void) | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  get machine(): Machine {
    return this.#options.machine;
  }

  /** What a client is told to connect to. */
  get url(): string {
    return `ws://${this.machine.name}:7070/`;
  }

  get running(): RunningGateway | undefined {
    return this.#running;
  }

  /** Takes a socket, where it listens. */
  get accept(): ((socket: MessageSocket) => void) | undefined {
    return this.#accept;
  }

  /** Tokens of these clients open it. */
  pair(clients: readonly { id: string; token: string }[]): void {
    const tokens = clients.map(({ id, token }) => ({
      sha256: createHash('sha256').update(token).digest('hex'),
      clientId: id,
      clientName: id,
      createdAt: 1,
      role: 'control',
    }));
    this.machine.disk.place(`${workerHome}/tokens.json`, JSON.stringify({ format: 1, tokens }));
  }

  boot(): void {
    const { machine } = this.#options;
    const program = machine.launch();
    machine.world.say(machine.name, () => 'starts');
    this.#start(program).catch((error: unknown) => {
      if (program.hasEnded) return;
      if (!isDiskTrouble(error)) {
        machine.world.violate(`the gateway did not start: ${describe(error)}`);
        return;
      }
      machine.world.say(machine.name, () => `did not start: ${error}`);
      program.end();
      // Somebody, or a supervisor, starts it again.
      machine.world.after(10_000, () => {
        if (machine.program === program) this.boot();
      });
    });
  }

  /** How many tensor engines crashed here. */
  get tensorCrashes(): number {
    return this.#tensorCrashes;
  }

  /** All its tensor engines are killed, by the system for instance. */
  crashTensors(): void {
    this.#tensorCrashes += 1;
    for (const engine of this.#running?.tensorEngines ?? []) engine.end('was killed by SIGKILL');
  }

  /** Starts it, unless it runs. */
  up(): void {
    if (!this.machine.program) this.boot();
  }

  /** What listens is gone, before the machine kills it. */
  down(): void {
    for (const engine of this.#running?.tensorEngines ?? []) engine.forget();
    this.#running = undefined;
    this.#accept = undefined;
  }

  async #start(program: Program): Promise<void> {
    const {
      machine,
      habits,
      tensors: tensorHabits = noTensors,
      parts,
      onLoaded,
      onStop,
    } = this.#options;
    const { system } = program;
    const { clock, random } = system;
    const startedAt = clock.now();
    const onFault = (what: string, error: unknown): void => {
      machine.world.say(machine.name, () => `fault while ${what}: ${error}`);
      if (isDiskTrouble(error)) return;
      machine.world.violate(`a fault of the gateway's while ${what}: ${describe(error)}`);
    };
    const tokens = await Tokens.open(`${workerHome}/tokens.json`, system);
    const ledgerFile = await parts.openLedger(`${workerHome}/ledger`, system);
    const onWarning = (message: string): void => machine.world.say(machine.name, () => message);
    const runs = await Runs.load(`${workerHome}/runs`, onWarning, () => {}, system);
    onLoaded?.(runs);
    const engine = new SimulatedEngine(program, machine.chance, habits);
    const training = new Training({
      ...{ runs, engine, dataDir: undefined, cacheDir: '/cache', clock, onWarning },
      onStatus: () => {},
      onProgress: () => {},
      onReady: () => {},
      onUnusable: () => {},
    });
    const tensorEngines = new Set<SimulatedTensorEngine>();
    const tensors = new TensorSessions({
      environment: async () => ({}),
      clock,
      start: (_environment, listener) => {
        const violate = (what: string): void => machine.world.violate(what);
        const engine = new SimulatedTensorEngine(
          ...([program, machine.chance, tensorHabits] as const),
          ...([listener, violate] as const),
        );
        for (const other of tensorEngines) if (other.hasEnded) tensorEngines.delete(other);
        tensorEngines.add(engine);
        if (tensorEngines.size > limits.tensorSessions) {
          violate(`${tensorEngines.size} tensor engines run at once`);
        }
        return engine;
      },
    });
    const pairings = {
      control: new Pairing((count) => random.bytes(count)),
      observe: new Pairing((count) => random.bytes(count)),
    };
    const worker = { name: 'sim', version, startedAt };
    const control = await ControlKeeper.open(`${workerHome}/control.json`, {
      onPassed: () => {},
      ...{ onFault, system },
    });
    const observers = new Observers({
      ...{ tokens, pairing: pairings.observe, clock },
      onRevoked: () => {},
    });
    const handlers = createHandlers({
      ...{ runs, training, uploads: new Uploads(), tensors, control, observers, system },
      worker: { ...worker, home: workerHome },
      stopWorker: () => onStop?.(),
    });
    const findDone = findDoneIn({ runs, control });
    const desk = new RequestDesk(handlers, findDone, ledgerFile, control, onFault);
    const epoch = random.bytes(8).toString('hex');
    const door = new Door({
      ...{ pairings, tokens },
      worker: { ...worker, id: machine.name, epoch },
      onPaired: () => {},
    });
    const host = connectionHost({ door, desk, tensors, control, observers, onFault, clock });
    this.#accept = (socket) => new Connection(socket, { address: '10.0.0.1', host, clock });
    this.#running = { program, runs, training, engine, tensorEngines, ledgerFile, control, desk };
    await training.recover(true);
    await engine.start();
  }
}
