import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { System } from '../../../shared/system.ts';
import type { ToEngine } from '../../../worker/channel.ts';
import { Connection } from '../../../worker/gateway/connection.ts';
import type { ConnectionHost } from '../../../worker/gateway/connection-host.ts';
import { connectionHost } from '../../../worker/gateway/connection-host.ts';
import { ControlKeeper } from '../../../worker/gateway/control-keeper.ts';
import { findDoneIn } from '../../../worker/gateway/done.ts';
import { Door } from '../../../worker/gateway/door.ts';
import type { Engine, EngineListener } from '../../../worker/gateway/engine-process.ts';
import { createHandlers } from '../../../worker/gateway/handlers.ts';
import { LedgerFile } from '../../../worker/gateway/ledger-file.ts';
import { Observers } from '../../../worker/gateway/observers.ts';
import { Pairing } from '../../../worker/gateway/pairing.ts';
import { RequestDesk } from '../../../worker/gateway/request-desk.ts';
import { Runs } from '../../../worker/gateway/runs.ts';
import type { TensorProcessListener } from '../../../worker/gateway/tensor-process.ts';
import type { BatchTaker } from '../../../worker/gateway/tensor-session.ts';
import { TensorSessions } from '../../../worker/gateway/tensor-sessions.ts';
import { Tokens } from '../../../worker/gateway/tokens.ts';
import { Training } from '../../../worker/gateway/training.ts';
import { Uploads } from '../../../worker/gateway/uploads.ts';
import { nodeSystem } from '../../../worker/system.ts';
import { eventBodies, fileContent, imported, manifest, record, report, token } from '../corpus.ts';
import type { FuzzedSocket } from './fuzzed-socket.ts';

/** A folder in memory where there is one: what is fuzzed is not the disk. */
export async function temporaryFolder(): Promise<string> {
  return await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'teletrain-fuzz-'));
}

/** Chance that is the same every time: an observer's token is known, lives are counted. */
function countedSystem(): System {
  let count = 0;
  const bytes = (length: number) => {
    if (length === 32) return Buffer.alloc(length, 0x4f);
    count += 1;
    const counted = Buffer.alloc(length);
    counted.writeUInt32LE(count, 0);
    return counted;
  };
  return { ...nodeSystem, random: { bytes, fraction: () => 0.5 } };
}

/** An engine that trains nothing, and says what a real one would. */
class IdleEngine implements Engine {
  readonly isReady = true;
  #listener: EngineListener | undefined;
  #run: string | undefined;

  listen(listener: EngineListener): void {
    this.#listener = listener;
  }

  async start(): Promise<void> {
    this.#listener?.ready(report);
  }

  send(message: ToEngine): void {
    if (message.type === 'start') {
      this.#run = message.record.id;
      this.#say('running');
    } else if (message.type === 'pause') this.#say('paused');
    else if (message.type === 'continue') this.#say('running');
    else if (message.type === 'stop') this.#say('stopped');
  }

  kill(): void {}

  async shutDown(): Promise<void> {}

  #say(state: 'running' | 'paused' | 'stopped'): void {
    const run = this.#run;
    if (run === undefined) return;
    if (state === 'stopped') this.#run = undefined;
    void this.#listener?.event({ type: 'event', run, event: { type: 'state', state } });
  }
}

/** A tensor engine that is done with whatever it gets. */
class IdleTensors implements BatchTaker {
  readonly #listener: TensorProcessListener;

  constructor(listener: TensorProcessListener) {
    this.#listener = listener;
    queueMicrotask(() =>
      listener.ready({ type: 'ready', report, kernels: ['Add'], bytes: 1_000_000 }),
    );
  }

  send(number: number): void {
    this.#listener.results(number, new Uint8Array(64), () => {});
  }

  pause(): void {}
  resume(): void {}
  kill(): void {}
}

/** Everything of a gateway but its sockets and its engines, over a home with runs and an upload. */
export class GatewayWorld {
  readonly #home: string;
  readonly #host: ConnectionHost;
  readonly #desk: RequestDesk;
  readonly #tensors: TensorSessions;
  readonly #training: Training;
  readonly #ledgerFile: LedgerFile;
  readonly #faults: string[];

  private constructor(parts: {
    home: string;
    host: ConnectionHost;
    desk: RequestDesk;
    tensors: TensorSessions;
    training: Training;
    ledgerFile: LedgerFile;
    faults: string[];
  }) {
    this.#home = parts.home;
    this.#host = parts.host;
    this.#desk = parts.desk;
    this.#tensors = parts.tensors;
    this.#training = parts.training;
    this.#ledgerFile = parts.ledgerFile;
    this.#faults = parts.faults;
  }

  static async open(): Promise<GatewayWorld> {
    const home = await temporaryFolder();
    const system = countedSystem();
    const faults: string[] = [];
    const onFault = (what: string, error: unknown) => {
      faults.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
    };
    const tokenFile = join(home, 'given-token');
    await writeFile(tokenFile, token, { mode: 0o600 });
    const tokens = await Tokens.open(join(home, 'tokens.json'), system);
    await tokens.accept(tokenFile);
    await tokens.issue({ id: 'an-observer', name: 'observer' }, 'observe', 0);
    const randomBytes = (count: number) => Buffer.alloc(count, 7);
    const pairings = { control: new Pairing(randomBytes), observe: new Pairing(randomBytes) };
    const ledgerFile = await LedgerFile.open(join(home, 'ledger'), system);
    const runs = await Runs.load(join(home, 'runs'), () => {}, undefined, system);
    const run = await runs.create(record);
    await run.append(...eventBodies);
    await run.append({ type: 'state', state: 'stopped' });
    await run.rest();
    const checkpoint = run.directory.checkpointPath(manifest.id);
    await mkdir(checkpoint, { recursive: true });
    await writeFile(join(checkpoint, 'state.json'), fileContent);
    await writeFile(join(checkpoint, 'manifest.json'), JSON.stringify(manifest));
    await runs.import(imported.record, imported);
    const engine = new IdleEngine();
    const tensors = new TensorSessions({
      environment: async () => ({}),
      start: (_, listener) => new IdleTensors(listener),
    });
    const training = new Training({
      ...{ runs, engine, dataDir: undefined, cacheDir: home },
      onWarning: () => {},
      onStatus: () => {},
      onReady: () => {},
      onProgress: () => {},
      onUnusable: () => {},
    });
    await engine.start();
    const worker = { name: 'a worker', version: '0.1.0', home, startedAt: 0 };
    const control = await ControlKeeper.open(join(home, 'control.json'), {
      onPassed: () => {},
      onFault,
    });
    const observers = new Observers({
      ...{ tokens, pairing: pairings.observe },
      onRevoked: () => {},
    });
    const handlers = createHandlers({
      ...{ runs, training, uploads: new Uploads(), tensors, control, observers, worker, system },
      stopWorker: () => {},
    });
    const findDone = findDoneIn({ runs, control });
    const desk = new RequestDesk(handlers, findDone, ledgerFile, control, onFault);
    const door = new Door({
      ...{ pairings, tokens },
      worker: { id: 'w', name: worker.name, version: worker.version, epoch: 'e', startedAt: 0 },
      onPaired: () => {},
    });
    const host = connectionHost({ door, desk, tensors, control, observers, onFault });
    return new GatewayWorld({ home, host, desk, tensors, training, ledgerFile, faults });
  }

  connect(socket: FuzzedSocket, address: string): void {
    new Connection(socket, { address, host: this.#host });
  }

  /** Nothing is being done any more. */
  async settled(): Promise<void> {
    await turn();
    await this.#desk.idle();
    await turn();
  }

  /** @throws Error what the gateway noted as a fault of its own. */
  requireNoFault(): void {
    const [fault] = this.#faults.splice(0);
    if (fault !== undefined) throw new Error(fault);
  }

  async close(): Promise<void> {
    this.#tensors.closeAll();
    await this.#training.end(0);
    await this.#ledgerFile.close();
    await rm(this.#home, { recursive: true, force: true, maxRetries: 5 });
  }
}
