/**
 * Checks on a GPU what a machine without one cannot: run it there, as README.md beside it says.
 * `--any-device` goes on without a GPU, to try this program itself. Exits with 1 where anything is
 * wrong.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { probeHeadings, probeRows } from '../../client/cli/layer-text.ts';
import { engineText } from '../../client/cli/run-text.ts';
import { formatTable } from '../../client/cli/table.ts';
import type { LayerReport } from '../../shared/engine-report.ts';
import { type Engine, openEngine } from '../../worker/engine/backend/engine.ts';
import { probedLayers } from '../../worker/engine/probe/layers.ts';
import { probeLayers } from '../../worker/engine/probe/probe.ts';
import type { ProbeSize } from '../../worker/engine/probe/sizes.ts';
import { toleranceHere } from '../../worker/engine/probe/tolerance.ts';
import { createRandom } from '../../worker/engine/random.ts';
import { engineEnvironment } from '../../worker/native/environment.ts';
import { losses, networks } from './training.ts';

const sequenceSize: ProbeSize = { rows: 20, columns: 25, batch: 128, features: 32, units: 32 };
const pictureSize: ProbeSize = { rows: 28, columns: 28, batch: 64, features: 64, units: 32 };

const anyDevice = process.argv.includes('--any-device');
const settings = await engineEnvironment();
if (settings.LD_LIBRARY_PATH !== undefined) {
  // The loader reads it when a process starts.
  const again = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), ...process.argv.slice(2)],
    {
      stdio: 'inherit',
      env: { ...process.env, ...settings },
    },
  );
  again.on('exit', (code) => process.exit(code ?? 1));
} else {
  Object.assign(process.env, settings);
  await check(await openEngine(anyDevice ? {} : { require: 'gpu' }));
}

async function check(engine: Engine): Promise<void> {
  say(engineText(engine.report));
  const { relative, tf32 } = toleranceHere();
  say(`Products are ${tf32 ? 'rounded to TF32' : 'not rounded'}: ${relative} is allowed.`);
  table('At the start of the engine', engine.report.layers ?? []);

  const onGpu = engine.device === 'gpu';
  const notTried = (_: unknown, name: string) =>
    onGpu && name === 'kernel' ? 'our kernels compute on the CPU' : undefined;
  const before = engine.liveTensors();
  const random = await probeLayers(probedLayers, { notTried, sizes: randomSizes(12), budget: 0 });
  table('At twelve random sizes', random);
  const sequences = probedLayers.filter(({ layer }) => /RNN|^LSTM|GRU/.test(layer));
  const pictures = probedLayers.filter((layer) => !sequences.includes(layer));
  for (const [what, layers, timedSize] of [
    ['500 timesteps, batch 128, 32 units', sequences, sequenceSize],
    ['28 x 28 pixels, batch 64, 32 units', pictures, pictureSize],
  ] as const) {
    const timed = await probeLayers(layers, { notTried, timedSize, budget: 120_000 });
    table(`Timed at ${what}`, timed);
  }
  const left = engine.liveTensors() - before;
  verdict(left === 0, `The probe left ${left} tensors behind.`);
  for (const { layer, implementations } of random) {
    const wrong = implementations.filter(({ agrees }) => agrees === false);
    const names = wrong.map(({ name, reason }) => `${name} ${reason}`).join('; ');
    verdict(
      !onGpu || wrong.length === 0,
      `${layer} is right by every way${names && `, but ${names}`}.`,
    );
  }

  for (const [name, network] of Object.entries(networks)) {
    const [composed, best] = [losses(network, 'composed'), losses(network, 'best')];
    const apart = Math.max(
      ...best.losses.map((loss, step) => Math.abs(loss / (composed.losses[step] ?? 0) - 1)),
    );
    verdict(
      apart < (tf32 ? 2e-2 : 1e-3) && best.losses.every(Number.isFinite),
      `${name}: 25 steps' losses are ${apart.toExponential(1)} from those of plain operations; a step takes ${best.milliseconds.toFixed(1)} ms instead of ${composed.milliseconds.toFixed(1)}.`,
    );
  }
  tf.disposeVariables();
}

function randomSizes(count: number): ProbeSize[] {
  const random = createRandom(1, 'sizes');
  const upTo = (limit: number) => 1 + random.nextBelow(limit);
  return Array.from({ length: count }, () => ({
    rows: upTo(5),
    columns: upTo(5),
    batch: upTo(20),
    features: upTo(40),
    units: upTo(70),
  }));
}

function table(title: string, reports: readonly LayerReport[]): void {
  say(`\n${title}:`);
  for (const line of formatTable(probeHeadings, probeRows(reports))) say(line);
}

function verdict(isRight: boolean, sentence: string): void {
  say(`${isRight ? 'right' : 'WRONG'}  ${sentence}`);
  if (!isRight) process.exitCode = 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
