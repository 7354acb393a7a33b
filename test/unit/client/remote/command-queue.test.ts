import { setImmediate as nextTurn } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { CommandQueue } from '../../../../client/remote/command-queue.ts';
import { shared, sharedBytes } from '../../../../client/remote/thread-messages.ts';
import { limits } from '../../../../shared/limits.ts';

/** Says that the worker is lost as soon as the program's thread sleeps. */
const losingThread = `
  const { workerData: { port, buffer, told, error } } = require('node:worker_threads');
  const numbers = new Int32Array(buffer);
  while (Atomics.notify(numbers, told) === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  port.postMessage({ type: 'ended', error });
  Atomics.add(numbers, told, 1);
  Atomics.notify(numbers, told);
  port.close();
`;

test('a program that is a window ahead when its worker is lost is told by its next call, and not ended', async () => {
  const { port1, port2 } = new MessageChannel();
  const buffer = new SharedArrayBuffer(sharedBytes);
  const queue = new CommandQueue(port1, new Int32Array(buffer), 'a-session');
  const chunks = limits.tensorWindowBytes / limits.chunkBytes - 1;
  const most = new Uint8Array(chunks * limits.chunkBytes);
  queue.upload(1, 'bool', [most.length], most);
  const error = { code: 'worker-lost', message: 'It does not answer.', hint: 'Connect again.' };
  const thread = new Worker(losingThread, {
    eval: true,
    workerData: { port: port2, buffer, told: shared.told, error },
    transferList: [port2],
  });

  // Small ones, which go out by themselves between two turns of the program.
  const little = new Uint8Array(limits.chunkBytes / 10);
  for (let handle = 2; !queue.hasEnded; handle += 1) {
    queue.upload(handle, 'bool', [little.length], little);
    await nextTurn();
    expect(handle).toBeLessThan(20);
  }
  expect(() => queue.push(['dispose', [1]])).toThrow('It does not answer.');
  await thread.terminate();
});

test('a program that waits for a value when the thread of its connection dies without a word is told', async () => {
  const { port1, port2 } = new MessageChannel();
  const numbers = new Int32Array(new SharedArrayBuffer(sharedBytes));
  const queue = new CommandQueue(port1, numbers, 'a-session');
  const value = queue.ask((id) => ['read', id, 1]);
  port2.close();
  await expect(value).rejects.toMatchObject({ code: 'tensor-session-closed' });
  expect(() => queue.push(['dispose', [1]])).toThrow('connection to the worker was closed');
});
