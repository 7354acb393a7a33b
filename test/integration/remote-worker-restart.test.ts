import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { connect } from '../../client/remote/connect.ts';
import { workerLockSchema } from '../../shared/worker-lock.ts';
import { temporaryHome } from './support/worker-process.ts';

async function workerOf(home: string): Promise<number> {
  const text = await readFile(join(home, 'worker', 'worker.lock'), 'utf8');
  return workerLockSchema.parse(JSON.parse(text)).pid;
}

test('a program whose worker was killed is told that it was started anew and what is lost, and may connect again', async () => {
  await using home = await temporaryHome();
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    process.kill(await workerOf(home.path), 'SIGKILL');
  });
  let session = await connect(undefined, { home: home.path });
  stack.defer(() => session.close());
  await tf.setBackend('remote');
  const tensor = tf.scalar(1);
  expect(tensor.dataSync()[0]).toBe(1);
  const killed = await workerOf(home.path);
  process.kill(killed, 'SIGKILL');

  await expect(tensor.square().data()).rejects.toMatchObject({
    code: 'worker-restarted',
    message: expect.stringContaining('started anew'),
    hint: expect.stringContaining('Connect again'),
  });
  expect(await workerOf(home.path)).not.toBe(killed);
  expect(() => tensor.dataSync()).toThrow('are lost');

  session.close();
  session = await connect(undefined, { home: home.path });
  await tf.setBackend('remote');
  expect(tf.scalar(3).square().dataSync()[0]).toBe(9);
}, 120_000);
