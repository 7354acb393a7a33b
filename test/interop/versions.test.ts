import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import { Connection } from '../../client/session/connection.ts';
import type { ConnectionEffect } from '../../client/session/connection-effects.ts';
import { RunFold } from '../../client/session/run-view.ts';
import { engineReportSchema } from '../../shared/engine-report.ts';
import { runEventSchema } from '../../shared/events.ts';
import { decodeFrame, encodeFrame } from '../../shared/frames.ts';
import { decodeEvent, scanRecords } from '../../shared/journal.ts';
import { closeCodes, limits } from '../../shared/limits.ts';
import { frameKinds, type MethodName, methods, welcomeSchema } from '../../shared/messages.ts';
import { runRecordSchema } from '../../shared/run.ts';
import { commonVersion, type VersionRange } from '../../shared/versions.ts';
import { Session, type SessionStep } from '../../worker/gateway/session.ts';
import { endsWithTest, quickTimes, until } from '../integration/session-set-up.ts';
import { temporaryHome, WorkerProcess } from '../integration/support/worker-process.ts';
import { exchanges, numberedEvents } from './examples.ts';
import { NewerPeers, newerFrame, withNewerFields } from './newer-version.ts';
import { fromHex } from './notation.ts';
import { type FrameVector, readVectors } from './vectors.ts';

const vectors = readVectors();
const run = 'digits-pixel-rnn-20261123-001522-k3f9';
const worker = { id: 'w', name: 'w', version: '1', epoch: 'e', startedAt: 0 };
const welcome = { worker, capabilities: [], limits: { ...limits }, role: 'control' as const };
const client = { id: 'client-1234', name: 'laptop', version: '1' };

const sends = <Part extends SessionStep | ConnectionEffect>(parts: readonly Part[]) =>
  parts.flatMap((part) => {
    const is = ('do' in part && part.do === 'send') || ('type' in part && part.type === 'send');
    return is && 'kind' in part ? [encodeFrame(part.kind, part.header, part.payload)] : [];
  });

/** Both ends' machines with nothing between them, until the client is connected or refused. */
function greet(versions: { client: VersionRange; worker: VersionRange }) {
  const session = new Session(0, { versions: versions.worker });
  const connection = new Connection({ client, requestPrefix: 'p', versions: versions.client });
  connection.start(0);
  const [hello] = sends(connection.opened(0, { token: 'x' }));
  const looked = session.receive(hello ?? Buffer.alloc(0), 0);
  const asks = looked.some((step) => step.do === 'authenticate');
  const steps = asks ? session.welcome(welcome, 0) : looked;
  const effects = sends(steps).flatMap((message) => connection.received(0, message));
  const close = steps.find((step) => step.do === 'close');
  if (close?.do === 'close') connection.closed(0, close.code, close.reason);
  return { session, connection, effects, close };
}

describe('the version taken', () => {
  const of = (min: number, max: number): VersionRange => ({ min, max });
  test.each([
    [of(1, 1), of(1, 1), 1],
    [of(1, 3), of(1, 1), 1],
    [of(1, 3), of(1, 2), 2],
    [of(2, 3), of(1, 2), 2],
    [of(1, 2), of(2, 9), 2],
    [of(3, 3), of(1, 9), 3],
  ])('of a client of %o and a worker of %o is %i', (ours, theirs, version) => {
    const { connection, effects } = greet({ client: ours, worker: theirs });
    expect(connection.state).toMatchObject({ kind: 'connected' });
    expect(effects).toContainEqual(
      expect.objectContaining({
        type: 'welcome',
        welcome: expect.objectContaining({ protocol: version }),
      }),
    );
    expect(commonVersion(theirs, ours)).toBe(version);
  });

  test.each([
    [of(2, 3), of(1, 1), 'Update the worker.'],
    [of(1, 1), of(2, 3), 'Update the client.'],
    [of(3, 2), of(1, 9), 'Update the worker.'],
  ])(
    'of a client of %o and a worker of %o is none, and both are told: %s',
    (ours, theirs, hint) => {
      const { connection, close } = greet({ client: ours, worker: theirs });
      expect(close).toMatchObject({ code: closeCodes.unsupportedVersion });
      expect(connection.state).toMatchObject({
        kind: 'refused',
        code: 'unsupported-version',
        hint,
      });
      expect(commonVersion(theirs, ours)).toBeUndefined();
    },
  );
});

const version1 = { client: { min: 1, max: 1 }, worker: { min: 1, max: 1 } };
const fromClient = ['hello', 'request', 'cancel', 'ping', 'pong', 'bye', 'commands'];
const fromWorker = [
  'error',
  'event',
  'status',
  'drawing',
  'ping',
  'pong',
  'bye',
  'results',
  'control',
];
const newestKind = Math.max(...Object.values(frameKinds));
const newer = ({ bytes }: FrameVector): Buffer => {
  const { kind, header, payload } = decodeFrame(fromHex(bytes));
  if (kind === 'unknown') throw new Error('a vector is of a known kind');
  return encodeFrame(kind, withNewerFields(header), payload);
};
/** Views of other messages are equal where their bytes are. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, part) => (Number.isNaN(part) ? 'NaN' : part)));

describe('fields that it does not know change nothing for a worker in', () => {
  test.each(vectors.frames.filter(({ kind }) => fromClient.includes(kind)))('$name', (vector) => {
    const heard = (message: Uint8Array): SessionStep[] =>
      vector.kind === 'hello'
        ? new Session(0).receive(message, 0)
        : greet(version1).session.receive(message, 0);
    const steps = heard(newer(vector));
    // A pong gives back what the ping had that it knows.
    expect(plain(steps)).toEqual(plain(heard(fromHex(vector.bytes))));
    if (vector.kind !== 'bye') expect(steps.some((step) => step.do === 'close')).toBe(false);
  });
});

describe('fields that it does not know change nothing for a client in', () => {
  test.each(vectors.frames.filter(({ kind }) => fromWorker.includes(kind)))('$name', (vector) => {
    const heard = (message: Uint8Array) => {
      const { connection } = greet(version1);
      const event = numberedEvents.find(({ name }) => vector.name === `event ${name}`)?.event;
      connection.follow(0, run, event?.seq ?? 1);
      return connection.received(5, message);
    };
    const effects = heard(newer(vector));
    expect(plain(effects)).toMatchObject(plain(heard(fromHex(vector.bytes))) as object[]);
    expect(effects.some(({ type }) => type === 'close')).toBe(false);
    const [delivered] = effects;
    if (vector.kind === 'event') {
      expect(delivered).toMatchObject({ type: 'event', event: { newerNote: 'x' } });
    }
  });

  test.each(vectors.frames.filter(({ kind }) => kind === 'welcome'))('$name', (vector) => {
    const connection = new Connection({ client, requestPrefix: 'p' });
    connection.start(0);
    connection.opened(0, { token: 'x' });
    connection.received(0, newer(vector));
    expect(connection.state).toMatchObject({ kind: 'connected' });
  });

  test.each(Object.keys(methods) as MethodName[])('the answer to %s', (method) => {
    const { connection } = greet(version1);
    const { params, result } = exchanges[method];
    const asked =
      method === 'run.follow'
        ? connection.follow(0, run, 1)
        : connection.request(0, method, params).effects;
    const [request] = sends(asked);
    const { id } = decodeFrame(request ?? Buffer.alloc(0)).header as { id: string };
    const answer = encodeFrame('response', withNewerFields({ id, result }) as object);
    const [effect] = connection.received(0, answer);
    const expected = method === 'run.follow' ? { type: 'followed' } : { type: 'answer', result };
    expect(plain(effect)).toMatchObject(plain(expected) as object);
  });
});

test('every kind of frame is looked at above', () => {
  const looked = [...fromClient, ...fromWorker, 'welcome', 'response'];
  expect(Object.keys(frameKinds).filter((kind) => !looked.includes(kind))).toEqual([]);
});

describe('what a newer version adds', () => {
  test.each([newestKind + 1, newestKind + 2, 128, 255])(
    'a frame of kind %i is left aside by both ends',
    (kind) => {
      const { session, connection } = greet(version1);
      expect(session.receive(newerFrame(kind), 0)).toEqual([]);
      expect(connection.received(0, newerFrame(kind))).toEqual([]);
      expect(session.isWelcomed).toBe(true);
      expect(connection.state).toMatchObject({ kind: 'connected' });
    },
  );

  test('a frame of a newer kind is no hello', () => {
    const steps = new Session(0).receive(newerFrame(newestKind + 1), 0);
    expect(steps.find((step) => step.do === 'close')).toMatchObject({ reason: 'unauthorised' });
  });

  test('a method is answered with unknown-method, and the connection goes on', () => {
    const { session } = greet(version1);
    const request = encodeFrame('request', { id: 'a', method: 'run.fork', params: { run } });
    const steps = session.receive(request, 0);
    expect(steps).toMatchObject([
      { do: 'send', kind: 'error', header: { id: 'a', error: { code: 'unknown-method' } } },
    ]);
    expect(session.isWelcomed).toBe(true);
  });

  test('an event of another type, or in another state, counts and is kept as it came', () => {
    const { connection } = greet(version1);
    connection.follow(0, run, 1);
    const events = [
      { run, seq: 1, time: 1, life: 'a', type: 'state', state: 'queued', behind: ['another'] },
      { run, seq: 2, time: 2, type: 'confusion', counts: [[1, 2]] },
      { run, seq: 3, time: 3, type: 'confusion', counts: [[3, 4]] },
      { run, seq: 4, time: 4, type: 'state', state: 'running' },
    ];
    const effects = events.flatMap((event) =>
      connection.received(0, encodeFrame('event', { event })),
    );
    const heard = effects.flatMap((effect) => (effect.type === 'event' ? [effect.event] : []));
    expect(heard).toMatchObject([
      { type: 'unknown', seq: 1, life: 'a', event: events[0] },
      { type: 'unknown', seq: 2, event: events[1] },
      { type: 'unknown', seq: 3, event: events[2] },
      events[3],
    ]);
    const record = runRecordSchema.parse(exchanges['run.start'].params.record);
    const view = new RunFold(record, '/nowhere');
    for (const event of heard) view.apply(event);
    expect(view).toMatchObject({ state: 'running', lastSeq: 4, lives: [{ id: 'a', firstSeq: 1 }] });
    expect(view.log.map(({ message }) => /"([a-z]+)"/.exec(message)?.[1])).toEqual([
      'state',
      'confusion',
    ]);
  });

  test('names of engines, layers, levels, reasons, recipes and roles are read as text', () => {
    const report = exchanges['tensor.open'].result.engine;
    const way = { name: 'photonic', reason: 'fast' };
    const layers = [{ layer: 'Mamba', used: 'photonic', implementations: [way] }];
    const candidates = [{ name: 'native-tpu', chosen: true, reason: 'it is there' }];
    const newest = { ...report, kind: 'xla', device: 'tpu', candidates, layers };
    expect(engineReportSchema.parse(newest)).toMatchObject({ device: 'tpu', layers });
    const { params } = exchanges['run.start'];
    expect(runRecordSchema.parse({ ...params.record, recipe: 'text-mamba' }).recipe).toBe(
      'text-mamba',
    );
    const numbered = (type: string) => numberedEvents.find(({ event }) => event.type === type);
    const log = runEventSchema.parse({ ...numbered('log')?.event, level: 'debug' });
    const checkpoint = { ...numbered('checkpoint')?.event, reason: 'asked-for' };
    expect(log.type).toBe('log');
    expect(runEventSchema.parse(checkpoint)).toMatchObject({ type: 'checkpoint', best: true });
    const view = new RunFold(runRecordSchema.parse(params.record), '/nowhere');
    view.apply({ ...log, seq: 1 });
    expect(view.log[0]?.level).toBe('info');
    const said = { ...welcome, protocol: 1, role: 'audit', capabilities: ['teleport'] };
    expect(welcomeSchema.parse(said).role).toBe('observe');
  });
});

test('a client and a worker that each take the other for newer train a run, and its journal at home is whole', async () => {
  await using stack = new AsyncDisposableStack();
  const workerHome = stack.use(await temporaryHome());
  const home = stack.use(await temporaryHome());
  const process = stack.use(new WorkerProcess(workerHome.path, { args: endsWithTest }));
  const { url, code } = await process.listening();
  const peers = stack.use(await NewerPeers.of(url));
  const local = createClient({ home: home.path, times: quickTimes });
  stack.defer(() => local.close());
  await local.connectWorker(peers.url, { code, name: 'newer' });
  const handle = await local.startRun({
    ...{ recipe: 'digits-pixel-rnn', on: 'newer', settings: { epochs: 2 } },
  });
  const view = await handle.finished();
  expect(view.state).toBe('done');
  await until(handle, ({ checkpoints }) =>
    checkpoints.every(({ home }) => home.state === 'verified'),
  );
  await local.close();
  const kinds = [...peers.changed.keys()];
  expect(kinds).toEqual(
    expect.arrayContaining(['hello', 'welcome', 'request', 'response', 'event']),
  );

  const journal = async (directory: string) => {
    const bytes = await readFile(join(directory, 'journal'));
    return scanRecords(bytes).records.map(({ body }) => decodeEvent(body));
  };
  const made = await journal(join(workerHome.path, 'runs', handle.id));
  const kept = await journal(view.directory);
  expect(kept.map(({ seq }) => seq)).toEqual(made.map(({ seq }) => seq));
  for (const [index, event] of kept.entries()) {
    const original = made[index];
    const known = event.type === 'unknown' ? event.event : event;
    expect(known).toMatchObject({
      newerNote: 'x',
      newerMap: { of: ['a', 1, 2.5, Number.NaN, null, true] },
    });
    if (original?.type === 'epoch')
      expect(known).toMatchObject({ ...original, type: 'epoch-report' });
    else expect(known).toMatchObject({ ...original });
  }
  expect(kept.filter(({ type }) => type === 'unknown').length).toBeGreaterThanOrEqual(2);
  expect(view.checkpoints.length).toBeGreaterThan(0);
});
