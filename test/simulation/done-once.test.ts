import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../shared/events.ts';
import { publicId } from '../../worker/gateway/control.ts';
import { tokenId } from '../../worker/gateway/tokens.ts';
import {
  type Ask,
  AskedWorker,
  anna,
  bert,
  bring,
  type ChangingMethod,
  commit,
  manifest,
  observersToken,
  run,
  start,
  stopNow,
  take,
  upload,
} from './asked-worker.ts';

/** Every method that changes something, asked again after the worker was killed. */

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
  readonly after?: (life: AskedWorker, killedAt: 'noting' | 'noted') => void;
}

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
  'checkpoint.commit': [
    { before: [bring, upload], asked: commit, answer: {} },
    {
      before: [bring, upload],
      asked: commit,
      // It goes on so far that what it was brought with is rotated away.
      meanwhile: [['run.resume', { run }]],
      answer: {},
      after: (life) => {
        expect(life.state).toBe('running');
        expect(life.checkpoints).not.toContain(manifest.id);
      },
    },
  ],
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

describe('asked again after the worker was killed, this is done once and answered alike:', () => {
  for (const [method, cases] of Object.entries(scenarios)) {
    for (const [index, { before, asked, meanwhile = [], answer, after }] of cases.entries()) {
      for (const killedAt of ['noting', 'noted'] as const) {
        const what = cases.length > 1 ? `${method} (${index + 1})` : method;
        test(`${what}, killed ${killedAt === 'noted' ? 'after' : 'before'} it noted the answer`, async () => {
          const life = new AskedWorker();
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
          expect(await life.ask(anna, asked, 'the-one')).toEqual(answer);
          await life.pass();
          after?.(life, killedAt);
        });
      }
    }
  }
});
