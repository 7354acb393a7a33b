import { expect, test } from 'vitest';
import type { RunView } from '../../client/session/types.ts';
import { endsWithTest, pairedClient, recipe } from './session-set-up.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

const steps = ({ series }: RunView): number[] => {
  const losses = series.get('train/loss/step');
  return losses ? [...losses.steps.subarray(0, losses.length)] : [];
};
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

test('a run that is done goes on for more epochs where it was, and not for as many', async () => {
  await using all = await pairedClient();
  const { client } = all;
  const handle = await client.startRun({ recipe, settings: { epochs: 2 }, on: 'colab' });
  await handle.finished();
  await expect(client.resumeRun(handle.id)).rejects.toMatchObject({ code: 'run-done' });
  // Apart from its resumption: the change is journaled, and holds when it comes.
  await handle.change({ epochs: 3 });
  await (await client.resumeRun(handle.id)).finished();
  expect(handle.view).toMatchObject({ state: 'done', step: 30, epochs: 3 });
  // Both at once.
  const extended = await client.resumeRun(handle.id, { changes: { epochs: 4 } });
  expect(steps(await extended.finished())).toEqual(upTo(40));
});

test('a run that is done goes on for more epochs on another worker, and not for as many', async () => {
  await using all = await pairedClient();
  const { client } = all;
  const handle = await client.startRun({ recipe, settings: { epochs: 2 }, on: 'colab' });
  await handle.finished();
  await all.worker.kill();
  await using home = await temporaryHome();
  await using worker = new WorkerProcess(home.path, { args: endsWithTest });
  const { url, code } = await worker.listening();
  await client.connectWorker(url, { code, name: 'other' });
  await expect(client.resumeRun(handle.id, { on: 'other' })).rejects.toMatchObject({
    code: 'run-done',
    hint: expect.stringContaining(`teletrain resume ${handle.id} --epochs`),
  });
  const changes = { epochs: 3, patience: 5 };
  const moved = await client.resumeRun(handle.id, { on: 'other', changes });
  const view = await moved.finished();
  expect(view).toMatchObject({ state: 'done', step: 30, worker: 'other', ...changes });
  expect(steps(view)).toEqual(upTo(30));
});
