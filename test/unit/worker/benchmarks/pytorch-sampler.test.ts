import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it, onTestFinished } from 'vitest';
import { openEngine } from '../../../../worker/engine/backend/engine.ts';
import { drawingThreshold } from '../../../../worker/engine/models/drawing-threshold.ts';
import { PixelRnn } from '../../../../worker/engine/models/pixel-rnn.ts';
import { createRandom } from '../../../../worker/engine/random.ts';
import { runCommand } from '../../../../worker/native/command.ts';
import { randomizeWeights } from '../engine/models/causality.ts';

const program = join(import.meta.dirname, '../../../peers/pytorch_sampler_logits.py');
const [count, givenRows, cells] = [3, 14, 784];

/** A Python that can import torch, if one was named. */
async function pythonWithTorch(): Promise<string | undefined> {
  for (const python of [process.env.TELETRAIN_BENCH_PYTHON, process.env.TELETRAIN_PEERS_PYTHON]) {
    if (python === undefined) continue;
    const { status } = await runCommand(python, ['-c', 'import torch'], { timeout: 60_000 });
    if (status === 0) return python;
  }
  return undefined;
}

const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer);
const floatsOf = (bytes: Uint8Array) => new Float32Array(Uint8Array.from(bytes).buffer);

it.each([1, 3])(
  'the PyTorch that our sampling is timed against computes the same network (%i layers)',
  { timeout: 120_000 },
  async (layers) => {
    const python = await pythonWithTorch();
    if (python === undefined) {
      console.warn(
        'Not checked against PyTorch: TELETRAIN_BENCH_PYTHON names no Python that has it.',
      );
      return;
    }
    const folder = await mkdtemp(join(tmpdir(), 'teletrain-pytorch-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await openEngine({});
    const shape = { layers, units: 6, outputUnits: 9 };
    const model = new PixelRnn({ seed: 1, ...shape });
    randomizeWeights(model.variables, 3);
    const random = createRandom(2);
    const pictures = Float32Array.from({ length: count * cells }, () =>
      Number(random.next() < 0.3),
    );
    const thresholds = Float32Array.from({ length: (28 - givenRows) * 28 * count }, () =>
      drawingThreshold(random.next()),
    );
    const weights = [...model.variables.values()].map((variable) =>
      bytesOf(Float32Array.from(variable.dataSync())),
    );
    await writeFile(join(folder, 'weights'), Buffer.concat(weights));
    await writeFile(join(folder, 'pictures'), bytesOf(pictures));
    await writeFile(join(folder, 'thresholds'), bytesOf(thresholds));
    const { units, outputUnits } = shape;
    const sizes = [layers, units, outputUnits, count, givenRows].map(String);
    const { status, stderr } = await runCommand(python, [program, folder, ...sizes], {
      timeout: 100_000,
    });
    expect(`${status}\n${stderr}`).toMatch(/^0\n/);
    const completed = floatsOf(await readFile(join(folder, 'completed')));
    const theirs = floatsOf(await readFile(join(folder, 'logits')));
    const ours = tf.tidy(() => model.logits(tf.tensor(completed, [count, 28, 28, 1])).dataSync());
    model.dispose();
    for (let place = 0; place < theirs.length; place++) {
      const at = (place % count) * cells + givenRows * 28 + Math.floor(place / count);
      expect(Math.abs((theirs[place] ?? 0) - (ours[at] ?? 0))).toBeLessThan(1e-4);
      expect(completed[at]).toBe(Number((theirs[place] ?? 0) > (thresholds[place] ?? 0)));
    }
    for (let at = 0; at < pictures.length; at++) {
      if (at % cells < givenRows * 28) expect(completed[at]).toBe(pictures[at]);
    }
  },
);
