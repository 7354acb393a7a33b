import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import { sha256 } from '../../client/session/download-checkpoint.ts';
import type { RunView, TeletrainClient } from '../../client/session/types.ts';
import { limits } from '../../shared/limits.ts';
import { BadLine } from './proxy.ts';
import { endsWithTest, pairedClient, quickTimes, recipe, until } from './session-set-up.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

// On a busy machine two engines may find different implementations the fastest, with other last bits.
vi.stubEnv('TELETRAIN_IMPLEMENTATION', 'kernel');

const realEngine = fileURLToPath(new URL('../../dist/worker/engine/main.js', import.meta.url));

/** One more worker that never saw the client's runs, reached through a line of its own. */
async function anotherWorker(
  client: TeletrainClient,
  name: string,
  options: ConstructorParameters<typeof WorkerProcess>[1] = {},
) {
  const stack = new AsyncDisposableStack();
  const home = stack.use(await temporaryHome());
  const worker = stack.use(new WorkerProcess(home.path, { args: endsWithTest, ...options }));
  const { url, code } = await worker.listening();
  const line = stack.use(await BadLine.to(url));
  await client.connectWorker(line.url, { code, name });
  return { worker, line, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function losses(view: RunView): { steps: number[]; values: number[] } {
  const series = view.series.get('train/loss/step');
  if (!series) throw new Error('there are no losses');
  const { length, steps, values } = series;
  return { steps: [...steps.subarray(0, length)], values: [...values.subarray(0, length)] };
}

/** What the test split gave: of the last weights and of the best. */
function scores(view: RunView): { loss: unknown; bestLoss: unknown } {
  const score = (name: string) => view.series.get(`test/${name}/epoch`)?.values[0];
  return { loss: score('loss'), bestLoss: score('bestLoss') };
}

/** Of the last checkpoint's tensors: their names, types and places, and their bytes' SHA-256. */
async function lastTensors(view: RunView): Promise<unknown> {
  const home = view.checkpoints.at(-1)?.home;
  if (home?.state !== 'verified') throw new Error(`the last checkpoint is ${home?.state}`);
  const tensors: unknown[] = [];
  for (const name of ['model.safetensors', 'optimizer.safetensors']) {
    const bytes = await readFile(join(home.directory, name));
    const dataAt = 8 + Number(bytes.readBigUInt64LE(0));
    // The metadata names the run, which is not the same one.
    const { __metadata__: _, ...layout } = JSON.parse(bytes.subarray(8, dataAt).toString());
    tensors.push({ name, layout, data: sha256(bytes.subarray(dataAt)) });
  }
  return tensors;
}

/** Of the chunks of weights that the client sent over this line, in their order. */
function uploadedOffsets({ frames }: BadLine): number[] {
  return frames.flatMap(({ kind, header, payload }) => {
    if (kind !== 'request' || payload.length === 0) return [];
    // Requests with a payload are those of file.write.
    const { params } = header as { params: { file: string; offset: number } };
    return params.file === 'model.safetensors' ? [params.offset] : [];
  });
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

describe('a run whose worker was taken away', () => {
  test('goes on on another worker from the checkpoints at home, also after an upload that was given up, and ends with the same bits', async () => {
    await using home = await temporaryHome();
    const client = createClient({ home: home.path, times: quickTimes });
    const options = { args: [...endsWithTest, '--engine-program', realEngine] };
    await using _one = await anotherWorker(client, 'one', options);
    await using two = await anotherWorker(client, 'two', options);
    const settings = {
      ...{ dataset: 'mnist-10k', units: 4, outputUnits: 4, batchSize: 8, epochs: 8 },
      ...{ trainExamples: 800, validationExamples: 16, testExamples: 16 },
      // So large that early weights stay the best ones.
      ...{ learningRate: 0.5, seed: 3 },
      ...{ sampleSteps: 0, sampleCount: 1 },
    };
    const undisturbed = await client.startRun({ recipe, settings, on: 'one' });
    const expected = await undisturbed.finished();
    expect(expected).toMatchObject({ state: 'done', step: 800 });
    expect(scores(expected).bestLoss).not.toEqual(scores(expected).loss);

    const handle = await client.startRun({ recipe, settings, on: 'two' });
    await until(handle, ({ checkpoints }) => {
      const last = checkpoints.at(-1);
      return last?.home.state === 'verified' && !last.best;
    });
    await two.worker.kill();
    const [best] = handle.view.checkpoints.filter((checkpoint) => checkpoint.best);
    const givenUp = new AbortController();
    await expect(
      client.resumeRun(handle.id, {
        on: 'one',
        signal: givenUp.signal,
        onProgress: ({ message, done = 0 }) => {
          if (message.startsWith('uploading') && !message.includes(`${best?.id}`) && done > 0) {
            givenUp.abort();
          }
        },
      }),
    ).rejects.toMatchObject({ code: 'cancelled' });
    const messages: string[] = [];
    const resumed = await client.resumeRun(handle.id, {
      on: 'one',
      onProgress: ({ message }) => messages.push(message),
    });
    const view = await resumed.finished();
    // The best one had arrived whole.
    expect(
      messages.filter((message) => message.includes(`uploading checkpoint ${best?.id}`)),
    ).toEqual([]);
    expect(messages.at(-1)).toMatch(/^uploading checkpoint step-/);
    expect(view).toMatchObject({ state: 'done', step: 800, worker: 'one' });
    expect(losses(view)).toEqual(losses(expected));
    expect(losses(view).steps).toEqual(upTo(800));
    expect(await lastTensors(view)).toEqual(await lastTensors(expected));
    expect(scores(view)).toEqual(scores(expected));
    expect(view.differs).toEqual([]);

    const seqs: number[] = [];
    for await (const event of resumed.events()) seqs.push(event.seq);
    expect(seqs).toEqual(upTo(view.lastSeq));
    await client.close();
  }, 120_000);

  test('is brought to the other one over a line that breaks, at the byte where it broke off', async () => {
    const fileBytes = 6 * limits.chunkBytes + 99;
    const environment = { SMALL_ENGINE_FILE_BYTES: String(fileBytes) };
    await using all = await pairedClient({ environment });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 20 }, on: 'colab' });
    await until(handle, ({ checkpoints }) =>
      checkpoints.some(({ home: { state } }) => state === 'verified'),
    );
    await all.worker.kill();
    await using other = await anotherWorker(all.client, 'other', { environment });
    const offsets = () => uploadedOffsets(other.line);
    const cutter = setInterval(() => {
      if (offsets().length === 3 && other.line.connections < 3) other.line.cut();
    }, 1);
    const resumed = await all.client.resumeRun(handle.id, { on: 'other' });
    clearInterval(cutter);
    expect(other.line.connections).toBeGreaterThan(2);
    const sent = offsets();
    const sentAgain = sent.filter((offset, at) => sent.indexOf(offset) !== at);
    expect(sentAgain.length).toBeLessThanOrEqual(1);
    const view = await resumed.finished();
    expect(view.state).toBe('done');
    expect(losses(view).steps).toEqual(upTo(200));
  });

  test('is not started over where an upload was given up: the rest of it comes first', async () => {
    const fileBytes = 6 * limits.chunkBytes + 99;
    const environment = { SMALL_ENGINE_FILE_BYTES: String(fileBytes) };
    await using all = await pairedClient({ environment });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 20 }, on: 'colab' });
    await until(handle, ({ checkpoints }) =>
      checkpoints.some(({ home: { state } }) => state === 'verified'),
    );
    await all.worker.kill();
    await using other = await anotherWorker(all.client, 'other', { environment });
    const givenUp = new AbortController();
    await expect(
      all.client.resumeRun(handle.id, {
        on: 'other',
        signal: givenUp.signal,
        onProgress: ({ done = 0 }) => done > 2 * limits.chunkBytes && givenUp.abort(),
      }),
    ).rejects.toMatchObject({ code: 'cancelled' });
    const resumed = await all.client.resumeRun(handle.id, { on: 'other' });
    const sent = uploadedOffsets(other.line);
    expect(sent).toEqual(upTo(7).map((chunk) => (chunk - 1) * limits.chunkBytes));
    const view = await resumed.finished();
    expect(view.state).toBe('done');
    expect(losses(view).steps).toEqual(upTo(200));
    for await (const event of resumed.events()) {
      if (event.type === 'rewind') expect(event.toStep).toBeGreaterThan(0);
    }
  });

  test('is refused where it lived on unseen: the two lives are never mixed', async () => {
    await using all = await pairedClient();
    const { client, line } = all;
    const handle = await client.startRun({ recipe, settings: { epochs: 30 }, on: 'colab' });
    await until(handle, ({ checkpoints }) =>
      checkpoints.some(({ home: { state } }) => state === 'verified'),
    );
    await using _other = await anotherWorker(client, 'other');
    // The tunnel breaks, the worker does not: it trains on.
    line.isDown = true;
    line.cut();
    await client.resumeRun(handle.id, { on: 'other' });
    const before = handle.view.lastSeq;
    await until(handle, (view) => view.lastSeq > before + 20);
    await handle.stop('now');
    const moved = await handle.finished();
    line.isDown = false;
    const { lastSeq, step } = moved;
    const goOn = (options: { replace?: boolean } = {}) =>
      client.resumeRun(handle.id, { on: 'colab', ...options });
    await expect(goOn()).rejects.toMatchObject({
      code: 'run-diverged',
      message: expect.stringMatching(
        /event \d+ of life \S+ and this machine's with event \d+ of life/,
      ),
    });
    expect(handle.view).toMatchObject({ lastSeq, step, worker: 'other' });
    await all.worker.line('state', ({ state }) => state === 'done');
    await expect(goOn()).rejects.toMatchObject({ code: 'run-diverged' });
    // Given up by a person, its copy makes room.
    await goOn({ replace: true });
    const view = await handle.finished();
    expect(view).toMatchObject({ state: 'done', worker: 'colab', step: 300 });
    expect(losses(view).steps).toEqual(upTo(300));
    const seqs: number[] = [];
    for await (const event of handle.events()) seqs.push(event.seq);
    expect(seqs).toEqual(upTo(view.lastSeq));
  });

  test('is kept as it went on, though a program still follows the worker that was taken for lost', async () => {
    await using all = await pairedClient();
    const { client, line } = all;
    const handle = await client.startRun({ recipe, settings: { epochs: 500 }, on: 'colab' });
    await until(handle, ({ checkpoints }) =>
      checkpoints.some(({ home: { state } }) => state === 'verified'),
    );
    await using _other = await anotherWorker(client, 'other');
    line.isDown = true;
    line.cut();
    await until(handle, ({ connection }) => connection.kind !== 'connected');
    // What this program received is on disk before the other one reads it there.
    for await (const { seq } of handle.events()) if (seq === handle.view.lastSeq) break;
    const secondProgram = createClient({ home: all.home, times: quickTimes });
    const second = await secondProgram.resumeRun(handle.id, { on: 'other' });
    const before = second.view.lastSeq;
    await until(second, (view) => view.lastSeq > before + 5);
    line.isDown = false;
    await expect(handle.finished()).rejects.toMatchObject({ code: 'run-diverged' });
    await expect(handle.close()).rejects.toMatchObject({ code: 'run-diverged' });
    await second.stop('now');
    const view = await second.finished();
    expect(losses(view).steps).toEqual(upTo(view.step));
    const read = await createClient({ home: all.home }).openRun(handle.id, { offline: true });
    expect(read.view).toMatchObject({ lastSeq: view.lastSeq, step: view.step });
    expect(losses(read.view)).toEqual(losses(view));
    await secondProgram.close();
  });

  test('comes back to the first worker with what it did on the second', async () => {
    await using all = await pairedClient();
    const handle = await all.client.startRun({ recipe, settings: { epochs: 50 }, on: 'colab' });
    await until(handle, (view) => view.checkpoints.length > 1);
    await handle.stop('now');
    await handle.finished();
    await using other = await anotherWorker(all.client, 'other');
    await all.client.resumeRun(handle.id, { on: 'other' });
    const stepBefore = handle.view.step;
    await until(handle, (view) => view.step > stepBefore + 15);
    await handle.stop('now');
    const onOther = await handle.finished();
    expect(onOther.worker).toBe('other');
    const step = onOther.step;
    await all.client.resumeRun(handle.id, { on: 'colab' });
    await until(handle, (view) => view.step > step + 2);
    await handle.stop('now');
    const view = await handle.finished();
    expect(view.worker).toBe('colab');
    expect(losses(view).steps).toEqual(upTo(view.step));
    expect(other.worker.errors).toEqual([]);
  });

  test('is not copied while it still runs where it was', async () => {
    await using all = await pairedClient();
    const handle = await all.client.startRun({ recipe, settings: { epochs: 500 }, on: 'colab' });
    await until(handle, (view) => view.checkpoints.some(({ home }) => home.state === 'verified'));
    await using _other = await anotherWorker(all.client, 'other');
    await expect(all.client.resumeRun(handle.id, { on: 'other' })).rejects.toMatchObject({
      code: 'run-active-elsewhere',
    });
    expect(handle.view).toMatchObject({ worker: 'colab', state: 'running' });
    await handle.stop('now');
    await handle.finished();
  });

  test('cannot go on elsewhere before a checkpoint came home', async () => {
    await using all = await pairedClient({ environment: { SMALL_ENGINE_EPOCH_STEPS: '1000000' } });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 500 }, on: 'colab' });
    await until(handle, (view) => view.step > 0);
    await all.worker.kill();
    await using _other = await anotherWorker(all.client, 'other');
    await expect(all.client.resumeRun(handle.id, { on: 'other' })).rejects.toMatchObject({
      code: 'no-checkpoint',
    });
  });
});
