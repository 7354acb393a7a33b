import { expect, test } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import { openSocket } from '../../client/session/socket.ts';
import { nodeSystem } from '../../client/session/system.ts';
import type { OpenFile, System } from '../../shared/system.ts';
import { pairedClient, quickTimes, recipe } from './session-set-up.ts';

/** A machine whose disk takes nothing into a journal until it may. */
function withJournalsAfter(mayWrite: Promise<void>): System {
  const open: System['disk']['open'] = async (path, flags, mode) => {
    const file = await nodeSystem.disk.open(path, flags, mode);
    if (!path.endsWith('journal')) return file;
    const appendFile: OpenFile['appendFile'] = async (content) => {
      await mayWrite;
      await file.appendFile(content);
    };
    return {
      appendFile,
      read: (...to) => file.read(...to),
      write: (...from) => file.write(...from),
      writeFile: (content) => file.writeFile(content),
      truncate: (length) => file.truncate(length),
      stat: () => file.stat(),
      sync: () => file.sync(),
      datasync: () => file.datasync(),
      close: () => file.close(),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  };
  return { ...nodeSystem, disk: { ...nodeSystem.disk, open } };
}

test('a client whose disk is slower than the worker stops reading, and has every event when the disk took them', async () => {
  await using all = await pairedClient({
    environment: {
      SMALL_ENGINE_STEP_MS: '0',
      SMALL_ENGINE_AT_ONCE: '500',
      SMALL_ENGINE_EPOCH_STEPS: '40000',
    },
  });
  const disk = Promise.withResolvers<void>();
  const paused = Promise.withResolvers<void>();
  let heard = 0;
  const client = createClient({
    home: all.home,
    times: quickTimes,
    system: withJournalsAfter(disk.promise),
    openSocket: (url, listener) => {
      const socket = openSocket(url, {
        ...listener,
        received: (message) => {
          heard += 1;
          return listener.received(message);
        },
      });
      const pause = () => {
        socket.pause();
        paused.resolve();
      };
      return { ...socket, pause };
    },
  });
  try {
    const handle = await client.startRun({ recipe, settings: { epochs: 1 }, on: 'colab' });
    await paused.promise;
    // Some 16,000 metrics wait, a first batch is in writing, and a little was read already.
    expect(heard).toBeLessThan(36_000);
    disk.resolve();
    const view = await handle.finished();
    expect(view.series.get('train/loss/step')?.length).toBe(40_000);
    let next = 1;
    for await (const { seq } of handle.events()) next = seq === next ? next + 1 : 0;
    expect(next).toBe(view.lastSeq + 1);
  } finally {
    disk.resolve();
    await client.close();
  }
});
