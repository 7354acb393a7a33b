import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, type RemoteSession } from '../../client/remote/connect.ts';
import { createClient } from '../../client/session/client.ts';
import { openEngine } from '../../worker/engine/backend/engine.ts';
import { childrenOf } from '../faults/child-processes.ts';
import { endsWithTest } from './session-set-up.ts';
import { LineThread } from './support/line-thread.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

const example = fileURLToPath(new URL('../../examples/tfjs-on-a-worker.ts', import.meta.url));

const stack = new AsyncDisposableStack();
let line: LineThread;
let home: string;
let workerPid: number | undefined;
let engineName: string;
let session: RemoteSession | undefined;

beforeAll(async () => {
  await openEngine();
  engineName = tf.getBackend();
  const workerHome = stack.use(await temporaryHome());
  home = stack.use(await temporaryHome()).path;
  const worker = stack.use(new WorkerProcess(workerHome.path, { args: endsWithTest }));
  workerPid = worker.child.pid;
  const { url, code } = await worker.listening();
  line = stack.use(await LineThread.to(url));
  const client = createClient({ home });
  await client.connectWorker(line.url, { code, name: 'colab' });
  await client.close();
});
afterAll(async () => {
  session?.close();
  await stack.disposeAsync();
});

async function enginesOf(worker: number | undefined): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'ppid=']);
  return stdout.split('\n').filter((parent) => Number(parent) === worker).length;
}

/** How eagerly Linux ends each of a worker's engines when memory runs out. */
async function endedFirst(worker = 0): Promise<number[]> {
  const adjusted = (await childrenOf(worker)).map((pid) =>
    readFile(`/proc/${pid}/oom_score_adj`, 'utf8'),
  );
  return (await Promise.all(adjusted)).map(Number);
}

/** A session that tests share: an engine's start takes a second or two. */
async function open(): Promise<RemoteSession> {
  session ??= await connect('colab', { home });
  await tf.setBackend('remote');
  return session;
}

function close(): void {
  session?.close();
  session = undefined;
}

/** A small program as others write them: a convolution and a dense layer, trained, asked and saved. */
async function program(): Promise<{ losses: unknown; predicted: number[]; saved: number[] }> {
  const pictures = tf.randomNormal([24, 8, 8, 1], 0, 1, 'float32', 3);
  const labels = tf.tidy(() =>
    tf.oneHot(tf.range(0, 24, 1, 'int32').mod(tf.scalar(3, 'int32')), 3),
  );
  const seed = 5;
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({
        ...{ inputShape: [8, 8, 1], filters: 4, kernelSize: 3, activation: 'relu' },
        kernelInitializer: tf.initializers.glorotUniform({ seed }),
      }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({
        ...{ units: 3, activation: 'softmax' },
        kernelInitializer: tf.initializers.glorotUniform({ seed }),
      }),
    ],
  });
  const optimizer = tf.train.adam(0.02);
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  const { history } = await model.fit(pictures, labels, {
    epochs: 3,
    batchSize: 8,
    shuffle: false,
  });
  const prediction = model.predict(pictures) as tf.Tensor;
  let saved = new ArrayBuffer(0);
  const handler = tf.io.withSaveHandler(async ({ weightData }) => {
    saved = tf.io.CompositeArrayBuffer.join(weightData);
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  });
  await model.save(handler);
  const predicted = [...(await prediction.data())];
  tf.dispose([pictures, labels, prediction]);
  model.dispose();
  optimizer.dispose();
  return { losses: history, predicted, saved: [...new Float32Array(saved)] };
}

describe('the backend `remote`', () => {
  test('trains, predicts and saves to the bit as the engine itself', async () => {
    await tf.setBackend(engineName);
    const direct = await program();
    await open();
    const remote = await program();
    expect(remote).toEqual(direct);
    expect(remote.saved.length).toBe(3 * 3 * 4 + 4 + 36 * 3 + 3);
    expect(remote.saved.every(Number.isFinite)).toBe(true);
  });

  test.runIf(process.platform === 'linux')(
    'computes in a process that ends before any other of the worker when memory runs out',
    async () => {
      await open();
      expect((await endedFirst(workerPid)).filter((adjusted) => adjusted === 1000)).toHaveLength(1);
    },
  );

  test('gives gradients, values by dataSync and by data, strings, truth values and the sign of zero', async () => {
    await open();
    const x = tf.tensor1d([1, 2, 3]);
    expect([
      ...tf
        .grad((v) => v.square().sum())(x)
        .dataSync(),
    ]).toEqual([2, 4, 6]);
    expect([...(await x.greater(2).data())]).toEqual([0, 0, 1]);
    expect(tf.tensor1d(['ü', 'b']).dataSync()).toEqual(['ü', 'b']);
    expect([...tf.complex([1, 2], [3, 4]).dataSync()]).toEqual([1, 3, 2, 4]);
    expect(tf.fill([2], -0).dataSync()).toEqual(Float32Array.of(-0, -0));
    expect(tf.pad(x, [[1, 0]], -0).dataSync()).toEqual(Float32Array.of(-0, 1, 2, 3));
    const below = tf.clipByValue(tf.tensor1d([-1, -0, 2]), -5, -0);
    expect(below.dataSync()).toEqual(Float32Array.of(-1, -0, -0));
    x.dispose();
  });

  test('waits for the shapes that depend on values', async () => {
    await open();
    const boxes = tf.tensor2d([0, 0, 1, 1, 0, 0, 1, 1, 0, 5, 1, 6], [3, 4]);
    const chosen = tf.image.nonMaxSuppression(boxes, tf.tensor1d([0.9, 0.8, 0.7]), 3);
    expect(chosen.shape).toEqual([2]);
    expect([...chosen.dataSync()]).toEqual([0, 2]);
    const found = await tf.whereAsync(tf.tensor1d([true, false, true], 'bool'));
    expect([...found.dataSync()]).toEqual([0, 2]);
  });

  test('moves large tensors both ways, and keeps nothing of the caller’s memory', async () => {
    await open();
    const values = Float32Array.from({ length: 300_000 }, (_, index) => index);
    const tensor = tf.tensor1d(values);
    values.fill(-1);
    const back = tensor.add(1).dataSync();
    expect([back.length, back[0], back[299_999]]).toEqual([300_000, 1, 300_000]);
    tensor.dispose();
  });

  test('tells of a failed kernel at the next read, with the shapes and the line that asked', async () => {
    await open();
    const table = tf.ones([4, 2]);
    const wrong = tf.gather(table, tf.tensor1d([9], 'int32'));
    const unrelated = table.add(1);
    const error = await unrelated.data().then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ code: 'kernel-failed' });
    expect(error?.message).toContain('GatherV2([4,2], int32 [1]) failed on the worker');
    expect(error?.stack).toContain('remote-backend.test.ts');
    // It was told; what it should have made can still not be read, and the rest can.
    expect([...(await unrelated.data())]).toEqual(Array(8).fill(2));
    expect(() => wrong.dataSync()).toThrow('GatherV2');
  });

  test('counts its tensors as tfjs does', async () => {
    await open();
    const { numTensors, numBytes } = tf.memory();
    const kept = tf.tidy(() => {
      let sum = tf.zeros([100]);
      for (let index = 0; index < 1_000; index += 1) sum = sum.add(1);
      return sum;
    });
    expect(tf.memory()).toMatchObject({ numTensors: numTensors + 1, numBytes: numBytes + 400 });
    expect(kept.dataSync()[99]).toBe(1_000);
    kept.dispose();
    expect(tf.memory()).toMatchObject({ numTensors, numBytes });
  });

  test('goes on after cuts, and does nothing twice', async () => {
    await open();
    const counter = tf.variable(tf.scalar(0));
    for (let step = 1; step <= 60; step += 1) {
      counter.assign(counter.add(1) as tf.Scalar);
      if (step % 20 === 0) line.order('cut');
      if (step % 7 === 0) expect(counter.dataSync()[0]).toBe(step);
    }
    expect((await counter.data())[0]).toBe(60);
    counter.dispose();
  });

  test('is one at a time, and can be opened again after it was closed', async () => {
    await open();
    const lost = tf.scalar(1);
    await expect(connect('colab', { home })).rejects.toMatchObject({ code: 'already-connected' });
    const first = session;
    const model = first?.createModel({ recipe: 'digits-pixel-rnn' });
    close();
    await open();
    // What is closed stays closed, and the other session open.
    first?.close();
    expect(tf.getBackend()).toBe('remote');
    expect(tf.scalar(2).square().dataSync()[0]).toBe(4);

    const isClosed = expect.objectContaining({
      code: 'tensor-session-closed',
      message: expect.stringContaining('session was closed'),
    });
    expect(() => lost.dataSync()).toThrow(isClosed);
    await expect(lost.data()).rejects.toEqual(isClosed);
    expect(() => lost.add(1)).toThrow(isClosed);
    await expect(model?.evaluate({ inputs: lost })).rejects.toEqual(isClosed);
    const late = first?.createModel({ recipe: 'digits-pixel-rnn' });
    await expect(late?.created).rejects.toEqual(isClosed);
    lost.dispose();
    model?.dispose();
    close();
    close();
  });

  test('gives up a worker that stays away, and whoever sleeps until a value comes is told', async () => {
    session = await connect('colab', { home, patienceMs: 1_000 });
    await tf.setBackend('remote');
    const tensor = tf.scalar(1);
    line.order('down');
    try {
      expect(() => tensor.dataSync()).toThrow('The worker cannot be reached');
      expect(() => tensor.add(1)).toThrow('The worker cannot be reached');
    } finally {
      line.order('up');
      tensor.dispose();
    }
  });

  test.each([
    ['process.exit(3)', 3],
    ["throw new Error('nobody catches this')", 1],
    ['session.close(); process.exit(0)', 0],
  ])(
    'leaves no engine behind when a program ends in the middle of its work by %s',
    async (ending, code) => {
      const engines = await enginesOf(workerPid);
      const text = `
      import * as tf from '@tensorflow/tfjs-core';
      import { connect } from ${JSON.stringify(new URL('../../client/remote/connect.ts', import.meta.url).href)};
      const session = await connect('colab', { home: ${JSON.stringify(home)} });
      await tf.setBackend('remote');
      const x = tf.zeros([8]);
      for (let step = 0; step < 1_000; step += 1) tf.tidy(() => void tf.square(x));
      process.stdout.write('there');
      ${ending};`;
      const program = promisify(execFile)(process.execPath, ['--input-type=module', '-e', text]);
      const ended = await program.then(
        ({ stdout }) => ({ code: 0, stdout }),
        (error: { code: number; stdout: string }) => error,
      );
      expect(ended).toMatchObject({ code, stdout: 'there' });
      // A session whose program is gone without a word would be kept for a minute.
      await expect
        .poll(() => enginesOf(workerPid), { timeout: 10_000 })
        .toBeLessThanOrEqual(engines);
    },
  );

  test('serves the example from the package, as a program of its own', async () => {
    const engines = await enginesOf(workerPid);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [example, 'colab'], {
      env: { ...process.env, TELETRAIN_HOME: home },
    });
    expect(stderr).toBe('');
    // Its engine went with it.
    await expect.poll(() => enginesOf(workerPid), { timeout: 10_000 }).toBeLessThanOrEqual(engines);
    expect(Number(/accuracy (\S+)/.exec(stdout)?.[1])).toBeGreaterThan(0.8);
  });
});
