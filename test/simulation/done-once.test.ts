import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../shared/events.ts';
import type { MethodName, methods, ParamsOf } from '../../shared/messages.ts';
import { completeSettings } from '../../shared/recipes.ts';
import type { Manifest, RunRecord } from '../../shared/run.ts';
import { publicId } from '../../worker/gateway/control.ts';
import { LedgerFile } from '../../worker/gateway/ledger-file.ts';
import type { AskingConnection, Outcome } from '../../worker/gateway/outcome.ts';
import type { CheckedRequest } from '../../worker/gateway/session.ts';
import { tokenId } from '../../worker/gateway/tokens.ts';
import { Chance } from './chance.ts';
import { Machine } from './machine.ts';
import { sha256 } from './simulated-engine.ts';
import { SimulatedGateway, workerHome } from './simulated-gateway.ts';
import { journalOf } from './witness.ts';
import { World } from './world.ts';

/** Every method that changes something, asked again after the worker was killed. */

type ChangingMethod = {
  [Name in MethodName]: (typeof methods)[Name]['changes'] extends true ? Name : never;
}[MethodName];

type Ask = { [Name in MethodName]: readonly [Name, ParamsOf<Name>, Uint8Array?] }[MethodName];

interface Scenario {
  /** Bert asks for this first. */
  readonly before: readonly Ask[];
  /** Anna asks for this; the worker is killed before it noted the answer, and she asks again. */
  readonly asked: Ask;
  /** Bert, who took control, asks for this in between. */
  readonly meanwhile?: readonly Ask[];
  /** What anna is answered. */
  readonly answer: unknown;
  /** What is true in the end, and would not be had it been done twice. */
  readonly after?: (life: WorkerLife, killedAt: 'noting' | 'noted') => void;
}

const record: RunRecord = {
  format: 1,
  id: 'one',
  recipe: 'digits-pixel-rnn',
  settings: completeSettings('digits-pixel-rnn', { epochs: 50 }),
  quick: false,
  createdAt: 1,
  version: '0.1.0',
};
const run = record.id;
const observersToken = 'o'.repeat(43);
const state = Buffer.from(JSON.stringify({ step: 3, weights: 1 }));
const manifest: Manifest = {
  ...{ format: 1, run, id: 'step-000000003', step: 3, epoch: 1, createdAt: 1 },
  files: [{ name: 'state.json', bytes: state.length, sha256: sha256(state) }],
};
const start: Ask = ['run.start', { record }];
const stopNow: Ask = ['run.stop', { run, when: 'now' }];
const bring: Ask = [
  'run.import',
  { record, nextSeq: 10, lives: [{ id: 'there', firstSeq: 1 }], checkpoint: manifest },
];
const upload: Ask = [
  'file.write',
  { run, checkpoint: manifest.id, file: 'state.json', offset: 0 },
  state,
];
const commit: Ask = ['checkpoint.commit', { run, checkpoint: manifest.id }];
const isAsked =
  (asked: string) =>
  (event: RunEvent): boolean =>
    event.type === 'change' && event.asked === asked;

const scenarios: Readonly<Record<ChangingMethod, readonly Scenario[]>> = {
  'worker.stop': [
    {
      before: [],
      asked: ['worker.stop', {}],
      answer: {},
      // It is noted first: who is killed then has ended.
      after: ({ stops }, killedAt) => expect(stops).toBe(killedAt === 'noted' ? 0 : 1),
    },
  ],
  'run.start': [
    {
      before: [],
      asked: start,
      meanwhile: [stopNow],
      answer: { run },
      after: (life) => {
        expect(life.state).toBe('stopped');
        expect(
          life.count(({ type, ...event }) => 'state' in event && event.state === 'starting'),
        ).toBe(1);
      },
    },
  ],
  'run.pause': [
    {
      before: [start],
      asked: ['run.pause', { run }],
      meanwhile: [['run.resume', { run }]],
      answer: {},
      after: (life) => {
        expect(life.state).toBe('running');
        expect(life.count(isAsked('pause'))).toBe(1);
      },
    },
  ],
  'run.resume': [
    {
      before: [start, ['run.pause', { run }]],
      asked: ['run.resume', { run }],
      meanwhile: [['run.pause', { run }]],
      answer: {},
      after: (life) => {
        expect(life.state).toBe('paused');
        expect(life.count(isAsked('continue'))).toBe(1);
      },
    },
    {
      before: [start, stopNow],
      asked: ['run.resume', { run }],
      meanwhile: [stopNow],
      answer: {},
      after: (life) => expect(life.state).toBe('stopped'),
    },
  ],
  'run.stop': [
    {
      before: [start],
      asked: stopNow,
      answer: {},
      after: (life) => expect(life.count(isAsked('stop-now'))).toBe(1),
    },
    {
      before: [start, ['run.pause', { run }]],
      asked: ['run.stop', { run, when: 'epoch' }],
      answer: {},
      after: (life) => expect(life.state).toBe('stopped'),
    },
  ],
  'run.change': [
    {
      before: [start],
      asked: ['run.change', { run, epochs: 60 }],
      meanwhile: [['run.change', { run, epochs: 70 }]],
      answer: {},
      after: (life) =>
        expect(life.gateway.running?.runs.get(run).fold.changed).toEqual({ epochs: 70 }),
    },
  ],
  'run.import': [
    {
      before: [],
      asked: bring,
      meanwhile: [upload, commit, ['run.resume', { run }]],
      answer: {},
      after: (life) => expect(life.state).toBe('running'),
    },
  ],
  'checkpoint.commit': [{ before: [bring, upload], asked: commit, answer: {} }],
  'observer.revoke': [
    {
      before: [],
      asked: ['observer.revoke', { id: tokenId(observersToken) }],
      answer: {},
      after: (life) =>
        expect(life.tokens).toMatchObject({ tokens: [], revoked: [expect.any(String)] }),
    },
  ],
  'control.take': [
    {
      before: [start],
      asked: ['control.take', { from: publicId('bert-01234567') }],
      answer: {},
      after: (life) => expect(life.holder).toBe('bert-01234567'),
    },
  ],
};

/** A worker and the two who ask it. */
class WorkerLife {
  readonly world = new World();
  readonly gateway: SimulatedGateway;
  stops = 0;
  /** When the worker is killed: as it is about to write an answer into its ledger, or once it has. */
  killedAt: 'noting' | 'noted' | undefined;
  readonly #machine = new Machine('worker', this.world, new Chance('worker', 1));
  #requests = 0;

  constructor() {
    this.gateway = new SimulatedGateway({
      machine: this.#machine,
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
    this.#machine.disk.place(`${workerHome}/tokens.json`, JSON.stringify(tokens));
  }

  get state(): string | undefined {
    return this.gateway.running?.runs.find(run)?.fold.state;
  }

  get holder(): string {
    const text = this.#machine.disk.peek(`${workerHome}/control.json`)?.toString() ?? '{}';
    return JSON.parse(text).holder?.id;
  }

  get tokens(): unknown {
    const text = this.#machine.disk.peek(`${workerHome}/tokens.json`)?.toString() ?? '{}';
    return JSON.parse(text);
  }

  count(isCounted: (event: RunEvent) => boolean): number {
    const journal = journalOf(this.#machine.disk, `${workerHome}/runs/${run}/journal`);
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
    // The parameters are those of the method beside them.
    this.gateway.running?.desk.perform(who, request as CheckedRequest, connectionOf(who)).then(
      ({ result }: Outcome) => {
        answer = result;
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
    this.#machine.kill();
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

const anna = 'anna-01234567';
const bert = 'bert-01234567';
const take = (from: string): Ask => ['control.take', { from: publicId(from) }];

describe('asked again after the worker was killed, this is done once and answered alike:', () => {
  for (const [method, cases] of Object.entries(scenarios)) {
    for (const [index, { before, asked, meanwhile = [], answer, after }] of cases.entries()) {
      for (const killedAt of ['noting', 'noted'] as const) {
        const what = cases.length > 1 ? `${method} (${index + 1})` : method;
        test(`${what}, killed ${killedAt === 'noted' ? 'after' : 'before'} it noted the answer`, async () => {
          const life = new WorkerLife();
          await life.boot();
          for (const ask of before) expect(await life.ask(bert, ask)).not.toBeInstanceOf(Error);
          if (method !== 'control.take' && before.length > 0) await life.ask(anna, take(bert));
          life.killedAt = killedAt;
          expect(await life.ask(anna, asked, 'the-one')).toBeUndefined();
          expect(life.gateway.running).toBeUndefined();
          await life.boot();
          // Who asks again has lost control meanwhile: what was done is answered all the same.
          if (method !== 'worker.stop') {
            expect(await life.ask(bert, take(anna))).toEqual({});
            expect(life.holder).toBe(bert);
          }
          for (const ask of meanwhile) expect(await life.ask(bert, ask)).not.toBeInstanceOf(Error);
          // A checkpoint in its place does not say who put it there.
          if (method === 'checkpoint.commit') await life.ask(anna, take(bert));
          expect(await life.ask(anna, asked, 'the-one')).toEqual(answer);
          await life.pass();
          after?.(life, killedAt);
        });
      }
    }
  }
});
