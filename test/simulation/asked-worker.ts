import { createHash } from 'node:crypto';
import type { RunEvent } from '../../shared/events.ts';
import type { MethodName, methods, ParamsOf } from '../../shared/messages.ts';
import { completeSettings } from '../../shared/recipes.ts';
import type { Manifest, RunRecord } from '../../shared/run.ts';
import { publicId } from '../../worker/gateway/control.ts';
import { LedgerFile } from '../../worker/gateway/ledger-file.ts';
import type { AskingConnection, Outcome } from '../../worker/gateway/outcome.ts';
import type { CheckedRequest } from '../../worker/gateway/session.ts';
import { Chance } from './chance.ts';
import { Machine } from './machine.ts';
import { sha256 } from './simulated-engine.ts';
import { SimulatedGateway, workerHome } from './simulated-gateway.ts';
import { journalOf } from './witness.ts';
import { World } from './world.ts';

export type ChangingMethod = {
  [Name in MethodName]: (typeof methods)[Name]['changes'] extends true ? Name : never;
}[MethodName];

export type Ask = {
  [Name in MethodName]: readonly [Name, ParamsOf<Name>, Uint8Array?];
}[MethodName];

export const record: RunRecord = {
  format: 1,
  id: 'one',
  recipe: 'digits-pixel-rnn',
  settings: completeSettings('digits-pixel-rnn', { epochs: 50 }),
  quick: false,
  createdAt: 1,
  version: '0.1.0',
};
export const run = record.id;
export const observersToken = 'o'.repeat(43);
const state = Buffer.from(JSON.stringify({ step: 3, weights: 1 }));
/** Of the checkpoint that a run is brought with. */
export const manifest: Manifest = {
  ...{ format: 1, run, id: 'step-000000003', step: 3, epoch: 1, createdAt: 1 },
  files: [{ name: 'state.json', bytes: state.length, sha256: sha256(state) }],
};
export const start: Ask = ['run.start', { record }];
export const stopNow: Ask = ['run.stop', { run, when: 'now' }];
export const bring: Ask = [
  'run.import',
  { record, nextSeq: 10, lives: [{ id: 'there', firstSeq: 1 }], checkpoint: manifest },
];
export const upload: Ask = [
  'file.write',
  { run, checkpoint: manifest.id, file: 'state.json', offset: 0 },
  state,
];
export const commit: Ask = ['checkpoint.commit', { run, checkpoint: manifest.id }];
export const take = (from: string): Ask => ['control.take', { from: publicId(from) }];

/** A worker and the two who ask it. */
export class AskedWorker {
  readonly world = new World();
  readonly gateway: SimulatedGateway;
  stops = 0;
  /** When the worker is killed: as it is about to write an answer into its ledger, or once it has. */
  killedAt: 'noting' | 'noted' | undefined;
  readonly machine = new Machine('worker', this.world, new Chance('worker', 1));
  #requests = 0;

  constructor() {
    this.gateway = new SimulatedGateway({
      machine: this.machine,
      habits: { stepMs: 200, weightBytes: 10, pictureBytes: 0, kept: 2 },
      parts: {
        openLedger: async (path, system) => {
          const file = await LedgerFile.open(path, system);
          const keep = file.keep.bind(file);
          file.keep = async (entry) => {
            if (this.killedAt === 'noting') return await this.#die();
            await keep(entry);
            if (this.killedAt === 'noted') await this.#die();
          };
          return file;
        },
      },
      onStop: () => {
        this.stops += 1;
      },
    });
    const sha256 = createHash('sha256').update(observersToken).digest('hex');
    const observer = { sha256, clientId: 'carol-01234567', clientName: 'carol', createdAt: 1 };
    const tokens = { format: 2, tokens: [{ ...observer, role: 'observe' }] };
    this.machine.disk.place(`${workerHome}/tokens.json`, JSON.stringify(tokens));
  }

  get state(): string | undefined {
    return this.gateway.running?.runs.find(run)?.fold.state;
  }

  get holder(): string {
    const text = this.machine.disk.peek(`${workerHome}/control.json`)?.toString() ?? '{}';
    return JSON.parse(text).holder?.id;
  }

  get tokens(): unknown {
    const text = this.machine.disk.peek(`${workerHome}/tokens.json`)?.toString() ?? '{}';
    return JSON.parse(text);
  }

  /** Ids of the run's checkpoints that are in their places. */
  get checkpoints(): readonly string[] {
    return this.machine.disk.names(`${workerHome}/runs/${run}/checkpoints`);
  }

  count(isCounted: (event: RunEvent) => boolean): number {
    const journal = journalOf(this.machine.disk, `${workerHome}/runs/${run}/journal`);
    return journal.filter(isCounted).length;
  }

  async boot(): Promise<void> {
    this.killedAt = undefined;
    this.gateway.boot();
    await this.pass();
    // Both are connected: control passes only by being taken.
    for (const who of [anna, bert]) {
      const { caller } = connectionOf(who);
      this.gateway.running?.control.arrived({ caller, sendControl: () => {} });
    }
  }

  async pass(): Promise<void> {
    await this.world.until(this.world.now + 5_000);
  }

  /** @returns the result, or the error; undefined where the worker died over it. */
  async ask(who: string, [method, params, payload]: Ask, id?: string): Promise<unknown> {
    this.#requests += 1;
    const request = {
      ...{ id: id ?? `${this.#requests}`, method, params },
      payload: payload ?? new Uint8Array(0),
    };
    let answer: unknown;
    const perform = async (): Promise<Outcome | undefined> =>
      // The parameters are those of the method beside them.
      this.gateway.running?.desk.perform(who, request as CheckedRequest, connectionOf(who));
    perform().then(
      (outcome) => {
        answer = outcome?.result;
      },
      (error: unknown) => {
        answer = error;
      },
    );
    await this.pass();
    return answer;
  }

  /** Nothing of it happens any more, and nobody hears of it. */
  #die(): Promise<never> {
    this.gateway.down();
    this.machine.kill();
    return new Promise(() => {});
  }
}

const connectionOf = (id: string): AskingConnection => ({
  caller: { id, name: id, role: 'control', tokenId: id },
  follow: () => {},
  unfollow: () => {},
  isOpen: true,
  hasRoom: () => true,
  sendResults: () => {},
});

export const anna = 'anna-01234567';
export const bert = 'bert-01234567';
