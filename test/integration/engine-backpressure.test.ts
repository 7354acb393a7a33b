import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { EngineProcess } from '../../worker/gateway/engine-process.ts';
import { smallRun } from './support/wire-client.ts';
import { temporaryHome } from './support/worker-process.ts';

const program = fileURLToPath(new URL('./support/small-engine.ts', import.meta.url));

test("an engine that is faster than the gateway's disk waits for it, and goes on with all its events", async () => {
  await using home = await temporaryHome();
  await mkdir(join(home.path, 'checkpoints'));
  const engine = new EngineProcess({
    program,
    environment: async () => ({
      SMALL_ENGINE_STEP_MS: '0',
      SMALL_ENGINE_AT_ONCE: '200',
      SMALL_ENGINE_EPOCH_STEPS: '20000',
    }),
  });
  const ready = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const disk = Promise.withResolvers<void>();
  let events = 0;
  engine.listen({
    ready: () => ready.resolve(),
    said: () => {},
    message: () => {},
    event: async ({ event }) => {
      events += 1;
      if (event.type === 'state' && event.state === 'done') over.resolve();
      await disk.promise;
    },
    ended: () => {},
  });
  try {
    await engine.start();
    await ready.promise;
    engine.send({
      ...{ type: 'start', record: smallRun('one', 1), directory: home.path, cacheDir: home.path },
      ...{ resume: false, needsCheckpoint: false, lastStep: 0 },
    });
    await expect.poll(() => events, { timeout: 20_000 }).toBeGreaterThan(900);
    await expect.poll(async () => settled(() => events), { timeout: 20_000 }).toBe(true);
    // 1,024 metrics fill its window; it looks for room every 200.
    expect(events).toBeLessThan(1_400);
    disk.resolve();
    await over.promise;
    // 20,000 metrics; running, a line of the log, an epoch, a checkpoint, done.
    expect(events).toBe(20_005);
  } finally {
    engine.kill();
  }
});

/** Whether a figure stays what it is for as long as an engine takes for thousands of events. */
async function settled(figure: () => number): Promise<boolean> {
  const before = figure();
  await new Promise((resolve) => setTimeout(resolve, 500));
  return figure() === before;
}
