import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EventBody, eventBodySchema, runStatusSchema } from '../../shared/events.ts';
import { EngineDriver, startCommand } from './engine-driver.ts';

const digits = {
  dataset: 'mnist-10k',
  batchSize: 16,
  trainExamples: 80,
  validationExamples: 32,
  testExamples: 32,
  epochs: 2,
  sampleSteps: 0,
  sampleCount: 4,
};
/** Goes on for as long as a test needs it. */
const endless = { ...digits, epochs: 100_000, keepCheckpoints: 1 };
const recipe = 'digits-pixel-cnn-report';

let home: string;
let runs = 0;
const newFolder = () => join(home, String(runs++));
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-engine-'));
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

const isState = (state: string, reason?: string) => (event: EventBody) =>
  event.type === 'state' && event.state === state && (!reason || event.reason === reason);

describe('an engine process', () => {
  test('trains one run after another, telling all that happens in checked events', async () => {
    await using engine = await EngineDriver.start();
    engine.send(startCommand(recipe, newFolder(), { ...digits, epochs: 3 }));
    expect(await engine.untilEnd()).toMatchObject({ state: 'done', reason: 'epochs' });

    const events = engine.events.splice(0);
    expect(engine.messages[0]?.type).toBe('ready');
    for (const event of events) expect(() => eventBodySchema.parse(event)).not.toThrow();
    for (const status of engine.statuses) expect(() => runStatusSchema.parse(status)).not.toThrow();
    expect(outline(events)).toEqual([
      'running start',
      'engine 5',
      ...[1, 2, 3].flatMap((epoch) => [
        ...Array.from({ length: 5 }, (_, step) => `train step ${5 * (epoch - 1) + step + 1}`),
        `sample ${5 * epoch}`,
        `train epoch ${5 * epoch}`,
        `validation epoch ${5 * epoch}`,
        `epoch ${epoch}`,
        `checkpoint ${5 * epoch} ${epoch === 3 ? 'end' : 'epoch'} best`,
      ]),
      'test epoch 15',
      'done epochs',
    ]);

    const handles = events.flatMap((event) => (event.type === 'epoch' ? [event.liveTensors] : []));
    expect(new Set(handles).size).toBe(1);

    const already = engine.messages.length;
    engine.send(startCommand(recipe, newFolder(), digits));
    const again = await engine.until((messages) =>
      messages
        .slice(already)
        .flatMap((message) => (message.type === 'event' ? [message.event] : []))
        .find((event) => event.type === 'epoch'),
    );
    expect(again).toMatchObject({ liveTensors: handles[0] });
  });

  test('completes the lower halves of test digits and leaves the upper ones as they are', async () => {
    await using engine = await EngineDriver.start();
    engine.send(startCommand(recipe, newFolder(), { ...digits, epochs: 1, sampleSteps: 2 }));
    await engine.untilEnd();
    const samples = engine.events.filter((event) => event.type === 'sample');
    expect(samples.map(({ step }) => step)).toEqual([2, 4, 5]);
    const [first, second] = samples.map(({ pixels }) => inflateSync(pixels));
    expect(first).toHaveLength(4 * 28 * 28);
    expect(new Set(first)).toEqual(new Set([0, 255]));
    for (let picture = 0; picture < 4; picture += 1) {
      const top = [784 * picture, 784 * picture + 14 * 28] as const;
      const bottom = [784 * picture + 14 * 28, 784 * (picture + 1)] as const;
      expect(first?.subarray(...top)).toEqual(second?.subarray(...top));
      expect(first?.subarray(...bottom)).not.toEqual(second?.subarray(...bottom));
    }
  });

  test('pauses between steps, changes its limits, and stops after the epoch', async () => {
    await using engine = await EngineDriver.start();
    engine.send(startCommand(recipe, newFolder(), endless));
    await engine.untilEvent((event) => event.type === 'metric');
    engine.send({ type: 'pause' });
    await engine.untilEvent(isState('paused'));
    const steps = engine.events.filter((event) => event.type === 'metric').length;
    engine.send({ type: 'change', epochs: 90_000 });
    await engine.until(() => engine.statuses.find(({ epochs }) => epochs === 90_000));
    expect(engine.statuses.at(-1)?.state).toBe('paused');
    expect(engine.events.filter((event) => event.type === 'metric')).toHaveLength(steps);

    engine.send({ type: 'continue' });
    await engine.untilEvent(isState('running', 'continue'));
    engine.send({ type: 'stop', when: 'epoch' });
    await engine.untilEvent(isState('running', 'stop-epoch'));
    expect(await engine.untilEnd()).toMatchObject({ state: 'stopped', reason: 'stop-epoch' });
    const last = engine.events.findLast((event) => event.type === 'checkpoint');
    const epoch = engine.events.findLast((event) => event.type === 'epoch');
    expect(last).toMatchObject({ reason: 'stop', step: epoch?.step });
  });

  test('a patience set while it runs ends it as soon as that many epochs were no better', async () => {
    await using engine = await EngineDriver.start();
    // Nothing is learned at this rate, so the losses stay where they are.
    engine.send(startCommand(recipe, newFolder(), { ...endless, learningRate: 1e-30 }));
    await engine.untilEvent((event) => event.type === 'epoch');
    engine.send({ type: 'change', patience: 1 });
    expect(await engine.untilEnd()).toMatchObject({ state: 'done', reason: 'patience' });
    const checkpoints = engine.events.filter((event) => event.type === 'checkpoint');
    expect(checkpoints.map(({ best }) => best).slice(0, 2)).toEqual([true, false]);
    const names = engine.events.flatMap((event) =>
      event.type === 'metric' && event.split === 'test' ? [`${event.name} ${event.step}`] : [],
    );
    const end = checkpoints.at(-1)?.step;
    expect(names).toEqual(
      ['bestLoss', 'bestHiddenLoss', 'loss', 'hiddenLoss'].map((name) => `${name} ${end}`),
    );
  });

  test('stops while it is paused, and keeps only the checkpoints it was told to', async () => {
    const folder = newFolder();
    await using engine = await EngineDriver.start();
    engine.send(startCommand(recipe, folder, { ...endless, learningRate: 1e-30 }));
    engine.send({ type: 'pin', checkpoints: ['step-000000010'] });
    await engine.untilEvent((event) => event.type === 'checkpoint' && event.step >= 25);
    engine.send({ type: 'pause' });
    await engine.untilEvent(isState('paused'));
    engine.send({ type: 'stop', when: 'now' });
    expect(await engine.untilEnd()).toMatchObject({ state: 'stopped', reason: 'stop-now' });
    const last = engine.events.findLast((event) => event.type === 'checkpoint');
    expect(await readdir(join(folder, 'checkpoints'))).toEqual(
      // The best, the pinned, the latest.
      ['step-000000005', 'step-000000010', last?.id].toSorted(),
    );
    const removed = engine.events.flatMap((event) =>
      event.type === 'checkpoint-removed' ? [event.id] : [],
    );
    expect(removed).toContain('step-000000015');
    expect(removed).not.toContain('step-000000010');
  });

  test('a loss that is not finite ends the run and leaves no broken checkpoint', async () => {
    const folder = newFolder();
    await using engine = await EngineDriver.start();
    engine.send(startCommand(recipe, folder, { ...digits, learningRate: 3e38 }));
    expect(await engine.untilEnd()).toMatchObject({ state: 'failed', reason: 'not-finite' });
    const last = engine.events.findLast((event) => event.type === 'metric');
    expect(last?.value).not.toSatisfy(Number.isFinite);
    expect(engine.events.some((event) => event.type === 'checkpoint')).toBe(false);
    await expect(readdir(join(folder, 'checkpoints'))).rejects.toThrow('ENOENT');

    // The engine stays usable.
    engine.send(startCommand(recipe, newFolder(), { ...digits, epochs: 1 }));
    await engine.untilEvent(isState('done'));
  });

  test('what a user can get wrong fails the run with a code and a way out', async () => {
    await using engine = await EngineDriver.start();
    engine.send({ ...startCommand(recipe, newFolder(), { ...digits, testExamples: 1_000_000 }) });
    const end = await engine.untilEnd();
    expect(end).toMatchObject({ state: 'failed', reason: 'bad-setting' });
    expect(end).toHaveProperty('message', expect.stringContaining('Set testExamples'));
  });

  test('told to shut down in the middle of a run, it leaves a checkpoint and exits with 0', async () => {
    const folder = newFolder();
    await using engine = await EngineDriver.start();
    engine.send(startCommand(recipe, folder, endless));
    await engine.untilEvent((event) => event.type === 'metric' && event.step >= 7);
    engine.send({ type: 'shutdown' });
    expect(await engine.exited).toBe(0);
    expect(engine.events.at(-1)).toMatchObject({ state: 'interrupted', reason: 'shutdown' });
    const last = engine.events.findLast((event) => event.type === 'checkpoint');
    const state = await readFile(join(folder, 'checkpoints', last?.id ?? '', 'state.json'), 'utf8');
    expect(JSON.parse(state).progress.step).toBe(last?.step);
  });

  test('lives through Ctrl-C, and ends at once when its gateway is gone', async () => {
    await using engine = await EngineDriver.start();
    engine.send(startCommand(recipe, newFolder(), endless));
    await engine.untilEvent((event) => event.type === 'metric');
    engine.child.kill('SIGINT');
    const seen = engine.messages.length;
    await engine.until((messages) => messages.length > seen + 20 || undefined);
    engine.child.disconnect();
    expect(await engine.exited).toBe(0);
  });

  test('one that cannot give what is required says so and exits', async () => {
    await using engine = await EngineDriver.start({
      TELETRAIN_REQUIRE_ENGINE: 'gpu',
      // Where no nvidia-smi is found, there is no GPU.
      PATH: '/nowhere',
    });
    expect(await engine.exited).toBe(1);
    expect(engine.messages).toEqual([
      { type: 'unusable', error: expect.objectContaining({ code: 'gpu-required' }) },
    ]);
  });
});

/** One line an event; metrics of one step and split together. */
function outline(events: readonly EventBody[]): string[] {
  const lines = events.flatMap((event) => {
    switch (event.type) {
      case 'state':
        return [`${event.state} ${event.reason}`];
      case 'engine':
        return [`engine ${event.stepsPerEpoch}`];
      case 'metric':
        return [`${event.split} ${event.per} ${event.step}`];
      case 'sample':
        return [`sample ${event.step}`];
      case 'epoch':
        return [`epoch ${event.epoch}`];
      case 'checkpoint':
        return [`checkpoint ${event.step} ${event.reason}${event.best ? ' best' : ''}`];
      default:
        return [];
    }
  });
  return lines.filter((line, index) => line !== lines[index - 1]);
}
