import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { EventBody } from '../../shared/events.ts';
import type { RecipeName } from '../../shared/recipes.ts';
import { manifestSchema } from '../../shared/run.ts';
import type { StartCommand } from '../../worker/channel.ts';
import { sha256 } from '../../worker/engine/checkpoints/save.ts';
import { realFilesFolder } from '../peers/real-files.ts';
import { EngineDriver, startCommand } from './engine-driver.ts';

// On a busy machine two engines may find different implementations the fastest, with other last bits.
vi.stubEnv('TELETRAIN_IMPLEMENTATION', 'kernel');

/** Small, but everything is there: a last batch that is smaller, grids within an epoch, clipping. */
const recipes: { recipe: RecipeName; settings: Record<string, unknown>; stopAt: number }[] = [
  {
    recipe: 'imdb-simple-rnn',
    settings: {
      vocabulary: 500,
      timesteps: 24,
      batchSize: 16,
      trainExamples: 600,
      validationExamples: 64,
      testExamples: 64,
      epochs: 3,
      clipNorm: 1,
    },
    stopAt: 45,
  },
  {
    recipe: 'digits-pixel-rnn',
    settings: {
      dataset: 'mnist-10k',
      units: 4,
      outputUnits: 4,
      batchSize: 8,
      trainExamples: 92,
      validationExamples: 16,
      testExamples: 16,
      epochs: 2,
      sampleSteps: 5,
      sampleCount: 4,
    },
    stopAt: 16,
  },
];

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-resume-'));
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

const available = recipes.filter(
  ({ recipe }) => !recipe.startsWith('imdb') || realFilesFolder('imdb.npz'),
);
const missing = recipes.filter((recipe) => !available.includes(recipe));
if (missing.length > 0) {
  console.warn(`Not checked, for TELETRAIN_DATA has no imdb.npz: resume of ${missing[0]?.recipe}.`);
}

describe.each(available)(
  'exact resume of $recipe',
  { timeout: 180_000 },
  ({ recipe, settings, stopAt }) => {
    let undisturbed: EventBody[];
    const folder = (name: string) => join(home, recipe, name);

    beforeAll(async () => {
      await using engine = await EngineDriver.start();
      engine.send(startCommand(recipe, folder('undisturbed'), settings));
      expect(await engine.untilEnd()).toMatchObject({ state: 'done', reason: 'epochs' });
      undisturbed = engine.events;
    });

    test('a run stopped within an epoch and resumed in a new process ends with the same bits', async () => {
      const command = startCommand(recipe, folder('stopped'), settings);
      const before = await interrupted(command.directory, () => runUntilStopped(command, stopAt));
      expect(before.at(-1)).toMatchObject({ type: 'state', state: 'stopped', reason: 'stop-now' });
      const lastStep = lastStepOf(before);
      expect(before.findLast((event) => event.type === 'checkpoint')).toMatchObject({
        step: lastStep,
        reason: 'stop',
      });

      const after = await resume(recipe, folder('stopped'), settings, lastStep);

      expect(after.some((event) => event.type === 'rewind')).toBe(false);
      expect(facts([...before, ...after])).toEqual(facts(undisturbed));
      expect(await finalTensors(folder('stopped'))).toEqual(
        await finalTensors(folder('undisturbed')),
      );
    });

    test('a run whose process is killed within an epoch goes back to its checkpoint and ends with the same bits', async () => {
      const often = { ...settings, checkpointMinutes: 0.001 };
      const command = startCommand(recipe, folder('killed'), often);
      const before = await interrupted(command.directory, () => runUntilKilled(command, stopAt));
      const lastStep = lastStepOf(before);

      const after = await resume(recipe, folder('killed'), often, lastStep);

      const resumedAt = firstStepOf(after) - 1;
      expect(resumedAt).toBeGreaterThan(0);
      expect(after.filter((event) => event.type === 'rewind')).toEqual(
        resumedAt < lastStep ? [{ type: 'rewind', toStep: resumedAt }] : [],
      );
      const kept = before.filter((event) => !('step' in event) || event.step <= resumedAt);
      expect(facts([...kept, ...after])).toEqual(facts(undisturbed));
      expect(await finalTensors(folder('killed'))).toEqual(
        await finalTensors(folder('undisturbed')),
      );
    });

    // What follows does not depend on the recipe.
    if (recipe !== available[0]?.recipe) return;

    test('a run whose newest checkpoint is damaged says so, goes back to the one before and ends with the same bits', async () => {
      await cp(folder('undisturbed'), folder('damaged'), { recursive: true });
      const newest = (await listOf(folder('damaged'))).at(-1) ?? '';
      await truncate(join(folder('damaged'), 'checkpoints', newest, 'optimizer.safetensors'), 100);
      const lastStep = lastStepOf(undisturbed);

      const after = await resume(recipe, folder('damaged'), settings, lastStep);

      const resumedAt = firstStepOf(after) - 1;
      expect(after).toContainEqual({ type: 'rewind', toStep: resumedAt });
      expect(after).toContainEqual({
        type: 'log',
        level: 'warning',
        message: expect.stringContaining(
          `Checkpoint ${newest} cannot be used: optimizer.safetensors`,
        ),
      });
      const kept = undisturbed.filter((event) => !('step' in event) || event.step <= resumedAt);
      expect(facts([...kept, ...after])).toEqual(facts(undisturbed));
      expect(await finalTensors(folder('damaged'))).toEqual(
        await finalTensors(folder('undisturbed')),
      );
    });

    test('a checkpoint that was saved before a crash and of which no event told is told of when the run goes on from it, once', async () => {
      await cp(folder('undisturbed'), folder('untold'), { recursive: true });
      const told = undisturbed.filter((event) => event.type === 'checkpoint');
      const [before, untold] = told.slice(-2);
      if (!before || !untold) throw new Error('the run left fewer than two checkpoints');
      await using engine = await EngineDriver.start();
      const goOn = async (lastCheckpoint: NonNullable<StartCommand['lastCheckpoint']>) => {
        engine.messages.splice(0);
        const again = { resume: true, lastStep: untold.step, testedStep: untold.step };
        engine.send(startCommand(recipe, folder('untold'), settings, { ...again, lastCheckpoint }));
        await engine.untilEnd();
        return engine.events.filter((event) => event.type === 'checkpoint');
      };

      expect(await goOn(before)).toEqual([{ ...untold, reason: 'epoch' }]);
      expect(await goOn({ ...untold, manifestSha256: before.manifestSha256 })).toHaveLength(1);
      expect(await goOn(untold)).toEqual([]);
      expect(await goOn({ step: untold.step })).toEqual([]);
    });

    test('a run whose checkpoints are all damaged fails rather than start over', async () => {
      await cp(folder('undisturbed'), folder('unusable'), { recursive: true });
      for (const id of await listOf(folder('unusable'))) {
        await truncate(join(folder('unusable'), 'checkpoints', id, 'model.safetensors'), 100);
      }
      await using engine = await EngineDriver.start();
      // Also when the journal that knew of the checkpoints was lost, and when it is tried again.
      for (let attempt = 1; attempt <= 2; attempt += 1) {
        engine.messages.splice(0);
        engine.send(startCommand(recipe, folder('unusable'), settings, { resume: true }));
        expect(await engine.untilEnd()).toMatchObject({ state: 'failed', reason: 'no-checkpoint' });
        expect(engine.events.some((event) => event.type === 'metric')).toBe(false);
      }
    });

    test('a run whose checkpoints are gone fails, one that never had any starts', async () => {
      await using engine = await EngineDriver.start();
      const gone = { resume: true, needsCheckpoint: true };
      engine.send(startCommand(recipe, folder('gone'), settings, gone));
      expect(await engine.untilEnd()).toMatchObject({ state: 'failed', reason: 'no-checkpoint' });
      engine.messages.splice(0);
      engine.send(startCommand(recipe, folder('gone'), settings, { resume: true }));
      expect(await engine.untilEvent((event) => event.type === 'metric')).toMatchObject({
        step: 1,
      });
    });

    test('a run that is done and extended ends with the bits of one that had those epochs from the start, tested at each end', async () => {
      const epochs = Number(settings.epochs);
      const shorter = { ...settings, epochs: epochs - 1 };
      await using engine = await EngineDriver.start();
      engine.send(startCommand(recipe, folder('extended'), shorter));
      expect(await engine.untilEnd()).toMatchObject({ state: 'done', reason: 'epochs' });
      const before = engine.events;
      const tests = before.filter(isTest);
      const testedStep = lastStepOf(before);
      expect(tests.length).toBeGreaterThan(0);
      const again = { resume: true, needsCheckpoint: true, lastStep: testedStep, testedStep };

      engine.messages.splice(0);
      engine.send(startCommand(recipe, folder('extended'), shorter, again));
      expect(await engine.untilEnd()).toMatchObject({ state: 'done', reason: 'epochs' });
      expect(engine.events.filter((event) => event.type === 'metric')).toEqual([]);

      engine.messages.splice(0);
      const changed = { epochs };
      engine.send(startCommand(recipe, folder('extended'), shorter, { ...again, changed }));
      expect(await engine.untilEnd()).toMatchObject({ state: 'done', reason: 'epochs' });
      const trained = before.filter((event) => !isTest(event));
      expect(facts([...trained, ...engine.events])).toEqual(facts(undisturbed));
      expect(await finalTensors(folder('extended'))).toEqual(
        await finalTensors(folder('undisturbed')),
      );
    });

    test('a run goes on by the implementation that computed it, though another is faster now', async () => {
      await cp(folder('undisturbed'), folder('otherwise'), { recursive: true });
      await pretendComputedBy('operations', folder('otherwise'));
      await using engine = await EngineDriver.start();
      const lastStep = lastStepOf(undisturbed);
      engine.send(startCommand(recipe, folder('otherwise'), settings, { resume: true, lastStep }));
      const event = await engine.untilEvent(({ type }) => type === 'engine');
      const layers = event.type === 'engine' ? (event.report.layers ?? []) : [];
      expect(layers.length).toBeGreaterThan(0);
      for (const { used, implementations } of layers) {
        const isRight = implementations.some(({ name, agrees }) => name === 'operations' && agrees);
        if (isRight) expect(used).toBe('operations');
      }
      expect(event).not.toHaveProperty('differs');
    });

    test('a run that goes on with other threads says that its bits may differ', async () => {
      await using engine = await EngineDriver.start({ TF_NUM_INTRAOP_THREADS: '7' });
      const lastStep = lastStepOf(undisturbed);
      engine.send(
        startCommand(recipe, folder('undisturbed'), settings, { resume: true, lastStep }),
      );
      const event = await engine.untilEvent(({ type }) => type === 'engine');
      expect(event).toHaveProperty('differs', [
        expect.stringMatching(/^threads \d+ before, 7 now$/),
      ]);
    });
  },
);

/** The events of a run that was ended before its own end. A slow machine may need a few attempts. */
async function interrupted(
  directory: string,
  attempt: () => Promise<readonly EventBody[]>,
): Promise<readonly EventBody[]> {
  for (let attempts = 1; attempts <= 5; attempts += 1) {
    const events = await attempt();
    if (!events.some((event) => event.type === 'state' && event.state === 'done')) return events;
    await rm(directory, { recursive: true });
  }
  throw new Error('The run came to its end before it could be interrupted.');
}

async function runUntilStopped(command: StartCommand, step: number): Promise<EventBody[]> {
  await using engine = await EngineDriver.start();
  engine.send(command);
  await engine.untilEvent((event) => event.type === 'metric' && event.step >= step);
  engine.send({ type: 'stop', when: 'now' });
  await engine.untilEnd();
  engine.send({ type: 'shutdown' });
  expect(await engine.exited).toBe(0);
  return engine.events;
}

/** Killed at least one step after a checkpoint. */
async function runUntilKilled(command: StartCommand, step: number): Promise<EventBody[]> {
  await using engine = await EngineDriver.start();
  engine.send(command);
  let saved = Number.POSITIVE_INFINITY;
  await engine.untilEvent((event) => {
    if (event.type === 'checkpoint') saved = event.step;
    return event.type === 'metric' && event.step >= step && event.step > saved;
  });
  await engine.kill('SIGKILL');
  return engine.events;
}

async function resume(
  recipe: RecipeName,
  directory: string,
  settings: Readonly<Record<string, unknown>>,
  lastStep: number,
): Promise<EventBody[]> {
  await using engine = await EngineDriver.start();
  engine.send(startCommand(recipe, directory, settings, { resume: true, lastStep }));
  expect(await engine.untilEnd()).toMatchObject({ state: 'done', reason: 'epochs' });
  const facts = engine.events.find((event) => event.type === 'engine');
  expect(facts).not.toHaveProperty('differs');
  return engine.events;
}

/** What must be equal to the bit: every metric and every picture. */
function facts(events: readonly EventBody[]): unknown[] {
  return events.flatMap((event): unknown[] => {
    if (event.type === 'metric') return [event];
    if (event.type === 'sample') return [{ ...event, pixels: [...event.pixels] }];
    return [];
  });
}

const isTest = (event: EventBody) => event.type === 'metric' && event.split === 'test';

function lastStepOf(events: readonly EventBody[]): number {
  return Math.max(0, ...events.map((event) => (event.type === 'metric' ? event.step : 0)));
}

function firstStepOf(events: readonly EventBody[]): number {
  return events.find((event) => event.type === 'metric')?.step ?? 0;
}

/** SHA-256 of weights and optimizer state at the run's end. */
async function finalTensors(directory: string): Promise<string[]> {
  const last = (await listOf(directory)).at(-1) ?? '';
  const text = await readFile(join(directory, 'checkpoints', last, 'manifest.json'), 'utf8');
  const { files } = manifestSchema.parse(JSON.parse(text));
  return files
    .filter(({ name }) => name.endsWith('.safetensors'))
    .map(({ name, sha256 }) => `${last} ${name} ${sha256}`);
}

/** Has the newest checkpoint say so of every layer. */
async function pretendComputedBy(used: string, directory: string): Promise<void> {
  const checkpoint = join(directory, 'checkpoints', (await listOf(directory)).at(-1) ?? '');
  const read = async (name: string) => JSON.parse(await readFile(join(checkpoint, name), 'utf8'));
  const state = await read('state.json');
  for (const layer of state.engine.layers) layer.used = used;
  const bytes = Buffer.from(JSON.stringify(state));
  const manifest = await read('manifest.json');
  for (const file of manifest.files) {
    if (file.name === 'state.json')
      Object.assign(file, { bytes: bytes.length, sha256: sha256(bytes) });
  }
  await writeFile(join(checkpoint, 'state.json'), bytes);
  await writeFile(join(checkpoint, 'manifest.json'), JSON.stringify(manifest));
}

/** Ids of a run's checkpoints, oldest first. */
async function listOf(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, 'checkpoints'));
  return names.filter((name) => name.startsWith('step-')).sort();
}
