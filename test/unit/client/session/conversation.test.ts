import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeFrame, encodeFrame } from '../../../../shared/frames.ts';
import { limits } from '../../../../shared/limits.ts';
import { metric, record } from './simulated-worker.ts';
import { Wire } from './wire.ts';

describe('what a client asked for', () => {
  test('sends an unanswered request again with the same id, and its answer counts once', () => {
    const wire = new Wire();
    wire.connect();
    const { id, effects } = wire.machine.request(0, 'run.pause', { run: record.id });
    wire.do(effects);
    wire.up();
    wire.cut();
    wire.wait(10_000);
    wire.open();
    wire.settle();
    const requests = wire.sent.filter(({ kind }) => kind === 'request');
    expect(requests.map(({ header }) => (header as { id: string }).id)).toEqual([id, id]);
    expect(wire.worker.done).toEqual(new Map([[id, 1]]));
    expect(wire.answers()).toEqual([id]);
  });

  test('rejects a request as worker-lost once its patience is over without a connection', () => {
    const wire = new Wire();
    wire.connect();
    wire.now = 5_000;
    wire.cut();
    const { effects } = wire.machine.request(5_000, 'run.pause', { run: 'r' }, { patienceMs: 900 });
    wire.do(effects);
    wire.wait(899);
    expect(wire.rejections()).toEqual([]);
    wire.wait(1);
    expect(wire.rejections()).toEqual(['worker-lost']);
  });

  test('asks once for events that are missing, and gives the connection up where they stay away', () => {
    const wire = new Wire();
    wire.connect();
    wire.do(wire.machine.follow(0, record.id, 1));
    wire.settle();
    const hear = (seq: number): void => {
      wire.do(wire.machine.received(0, encodeFrame('event', { event: metric(seq) })));
    };
    hear(1);
    hear(3);
    const asked = wire.sent.filter(
      ({ header }) => (header as { method?: string }).method === 'run.follow',
    );
    expect(asked.map(({ header }) => (header as { params: unknown }).params)).toEqual([
      { run: record.id, fromSeq: 1, drawings: true },
      { run: record.id, fromSeq: 2, drawings: true },
    ]);
    hear(4);
    wire.settle();
    expect(wire.isOpen).toBe(true);
    hear(3);
    expect(wire.machine.state).toMatchObject({ kind: 'waiting' });
    expect(wire.seqs()).toEqual([1]);
  });

  test('begins at the first event that the worker has, of a run that came from another', () => {
    const wire = new Wire();
    wire.connect();
    wire.do(wire.machine.follow(0, record.id, 1));
    const id = wire.lastRequestId();
    const numbers = { lastSeq: 8, firstSeq: 7, lives: [] };
    const summary = { record, state: 'running', step: 0, epoch: 0, ...numbers };
    const answer = encodeFrame('response', { id, result: { summary } });
    wire.do(wire.machine.received(0, answer));
    for (const seq of [7, 8]) {
      wire.do(wire.machine.received(0, encodeFrame('event', { event: metric(seq) })));
    }
    expect(wire.seqs()).toEqual([7, 8]);
  });

  test('tells of a run that the worker does not know, once', () => {
    const wire = new Wire();
    wire.connect();
    wire.do(wire.machine.follow(0, record.id, 1));
    const id = wire.lastRequestId();
    const error = { code: 'unknown-run', message: 'No such run.', hint: 'See runs.' };
    wire.do(wire.machine.received(0, encodeFrame('error', { id, error })));
    expect(wire.effects.at(-1)).toMatchObject({ type: 'follow-failed', run: record.id });
    wire.cut();
    wire.wait(10_000);
    wire.open();
    wire.settle();
    expect(wire.effects.filter(({ type }) => type === 'follow-failed')).toHaveLength(1);
  });

  test('tells a worker that a request is no longer waited for', () => {
    const wire = new Wire();
    wire.connect();
    const { id, effects } = wire.machine.request(0, 'worker.info', {});
    wire.do(effects);
    wire.do(wire.machine.cancel(id));
    expect(wire.sent.at(-1)).toMatchObject({ kind: 'cancel', header: { id } });
    wire.settle();
    expect(wire.answers()).toEqual([]);
  });
});

type Action =
  | { readonly do: 'event' | 'gap' | 'request' | 'cut' | 'open' }
  | { readonly do: 'up' | 'down'; readonly count: number }
  | { readonly do: 'wait'; readonly milliseconds: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { arbitrary: fc.constantFrom({ do: 'event' as const }), weight: 6 },
  { arbitrary: fc.constantFrom({ do: 'gap' as const }), weight: 1 },
  { arbitrary: fc.constantFrom({ do: 'request' as const }), weight: 4 },
  { arbitrary: fc.constantFrom({ do: 'cut' as const }), weight: 2 },
  { arbitrary: fc.constantFrom({ do: 'open' as const }), weight: 3 },
  {
    arbitrary: fc.record({
      do: fc.constantFrom('up' as const, 'down' as const),
      count: fc.integer({ min: 1, max: 8 }),
    }),
    weight: 10,
  },
  {
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      milliseconds: fc.integer({ min: 1, max: 60_000 }),
    }),
    weight: 3,
  },
);

describe('a connection that is cut at any moment', () => {
  test('delivers every event once and in order, and does every request once', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const wire = new Wire();
        const ids: string[] = [];
        wire.connect();
        wire.do(wire.machine.follow(0, record.id, 1));
        const tryToOpen = (): void => {
          if (!wire.isOpen && wire.machine.state.kind === 'connecting') wire.open();
        };
        for (const step of actions) {
          const next = metric(wire.worker.events.length + 1);
          if (step.do === 'event') wire.worker.append(next);
          if (step.do === 'gap') wire.worker.append(next, false);
          if (step.do === 'cut') wire.cut();
          if (step.do === 'open') tryToOpen();
          if (step.do === 'up') wire.up(step.count);
          if (step.do === 'down') wire.down(step.count);
          if (step.do === 'wait') wire.wait(step.milliseconds);
          if (step.do === 'request') {
            const made = wire.machine.request(wire.now, 'run.pause', { run: record.id });
            ids.push(made.id);
            wire.do(made.effects);
          }
        }
        // A gap at the very end shows only on the next connection.
        wire.cut();
        for (let round = 0; round < 5; round += 1) {
          wire.wait(20_000);
          tryToOpen();
          wire.settle();
        }
        expect(wire.seqs()).toEqual(wire.worker.events.map(({ seq }) => seq));
        expect(wire.answers().sort()).toEqual([...ids].sort());
        for (const id of ids) expect(wire.worker.done.get(id)).toBe(1);
      }),
      { numRuns: 500 },
    );
  });

  test('never has more requests in flight than the protocol allows', () => {
    const wire = new Wire();
    wire.connect();
    for (let made = 0; made < 200; made += 1) {
      wire.do(wire.machine.request(0, 'run.pause', { run: record.id }).effects);
    }
    const sent = (): number => wire.sent.filter(({ kind }) => kind === 'request').length;
    expect(sent()).toBe(limits.requestsInFlight);
    wire.settle();
    expect(sent()).toBe(200);
    expect(wire.answers()).toHaveLength(200);
  });
});

test('a frame of the machine can be read by the worker', () => {
  const wire = new Wire();
  wire.connect();
  const payload = Uint8Array.of(1, 2, 3);
  const params = { run: record.id, checkpoint: 'step-000000001', file: 'a.bin', offset: 0 };
  const { effects } = wire.machine.request(0, 'file.write', params, { payload });
  const [effect] = effects;
  if (effect?.type !== 'send') throw new Error('nothing was sent');
  const frame = decodeFrame(encodeFrame(effect.kind, effect.header, effect.payload));
  expect([...frame.payload]).toEqual([1, 2, 3]);
});
