import { expect, test } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import type { TeletrainClient } from '../../client/session/types.ts';
import type { BadLine } from './proxy.ts';
import { pairedClient, quickTimes, recipe, until } from './session-set-up.ts';
import { temporaryHome } from './support/worker-process.ts';

/** A controller with a run that goes on, and another installation that observes it over the same line. */
async function observed() {
  const stack = new AsyncDisposableStack();
  const owner = stack.use(
    await pairedClient({ environment: { SMALL_ENGINE_STEP_MS: '20', SMALL_ENGINE_STEPS: '200' } }),
  );
  const { id } = await owner.client.startRun({ recipe, settings: { epochs: 500 }, on: 'colab' });
  const home = stack.use(await temporaryHome());
  const open = (): TeletrainClient => {
    const client = createClient({ home: home.path, times: quickTimes });
    stack.defer(() => client.close());
    return client;
  };
  const observer = open();
  const { url, code } = await owner.client.inviteObserver('colab');
  await observer.connectWorker(url, { code, name: 'shared' });
  return { ...owner, id, observer, open, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Methods that were asked for over the line. */
const asked = ({ frames }: BadLine) =>
  frames.flatMap(({ kind, header }) =>
    kind === 'request' ? [(header as { method: string }).method] : [],
  );

const isReadOnly = (deed: string) => ({
  code: 'read-only',
  message: expect.stringContaining(`it cannot ${deed}`),
});

test('an observer is refused what changes something before it is asked of the worker', async () => {
  await using all = await observed();
  const { observer, line, id } = all;
  const handle = await observer.openRun(id);
  await until(handle, ({ access }) => access?.role === 'observe');
  line.frames.length = 0;
  await expect(observer.resumeRun(id)).rejects.toMatchObject(isReadOnly('resume a run there'));
  await expect(handle.resume()).rejects.toMatchObject(isReadOnly('resume a run there'));
  await expect(handle.stop('now')).rejects.toMatchObject(isReadOnly('stop a run there'));
  await expect(handle.change({ epochs: 3 })).rejects.toMatchObject(isReadOnly('change a run'));
  const start = observer.startRun({ recipe, settings: { epochs: 1 }, on: 'shared' });
  await expect(start).rejects.toMatchObject(isReadOnly('start a run there'));
  await expect(observer.stopWorker('shared')).rejects.toMatchObject(isReadOnly('end the worker'));
  expect(handle.view.worker).toBe('shared');
  expect(handle.view.pending).toBeUndefined();
  // What was refused leaves no run behind.
  expect((await observer.runs()).map(({ record }) => record.id)).toEqual([id]);
  const changes = asked(line).filter((method) => !/^(run\.(follow|list)|file\.)/.test(method));
  expect(changes).toEqual([]);
}, 60_000);

test('an observer stays one while the worker is away, and is refused at once then, too', async () => {
  await using all = await observed();
  const { observer, open, line, id } = all;
  const handle = await observer.openRun(id);
  await until(handle, ({ access }) => access?.role === 'observe');
  line.isDown = true;
  line.cut();
  await until(handle, ({ connection }) => connection.kind === 'waiting');
  expect(handle.view.access).toEqual({ role: 'observe' });
  const start = performance.now();
  await expect(handle.stop('now')).rejects.toMatchObject(isReadOnly('stop a run there'));
  await expect(observer.resumeRun(id)).rejects.toMatchObject(isReadOnly('resume a run there'));
  await observer.close();

  // A program that never reached the worker knows by its pairing.
  const later = open();
  const again = await later.openRun(id, {});
  expect(again.view.connection.kind).not.toBe('connected');
  expect(again.view.access).toEqual({ role: 'observe' });
  await expect(later.resumeRun(id)).rejects.toMatchObject(isReadOnly('resume a run there'));
  expect(performance.now() - start).toBeLessThan(10_000);
  line.isDown = false;
  await until(again, ({ access }) => access?.control?.holder !== undefined);
  expect(again.view.access).toMatchObject({ role: 'observe', control: { yours: false } });
}, 60_000);

test('a list of workers says that it only asks, and goes', async () => {
  await using all = await pairedClient();
  const hellos = () => all.line.frames.filter(({ kind }) => kind === 'hello');
  const other = createClient({ home: all.home, times: quickTimes });
  const before = hellos().length;
  await other.workerInfo('colab', { glance: true });
  expect(hellos().slice(before)).toMatchObject([{ header: { glance: true } }]);
  // What is then done there is done by a connection that counts.
  await other.workerInfo('colab');
  expect(hellos().slice(before + 1)).toHaveLength(1);
  expect(hellos().at(-1)?.header).not.toHaveProperty('glance');
  await other.close();
});
