import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type {
  ImplementationName,
  LayerName,
  LayerReport,
} from '../../../../../shared/engine-report.ts';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { chooseForLayer } from '../../../../../worker/engine/ops/choose.ts';
import {
  findImplementations,
  keepImplementations,
} from '../../../../../worker/engine/probe/choose-implementations.ts';
import { emulateCudnn } from '../ops/emulated-cudnn.ts';

const engine = await openEngine();
const canEmulate = engine.kind === 'native' && engine.device === 'cpu';
if (!canEmulate) {
  console.warn('NOT CHECKED: what a GPU’s engine tries. Missing: the native engine on a CPU.');
}

const folder = await mkdtemp(join(tmpdir(), 'teletrain-marks-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

it('WebAssembly has one way to compute a layer, and none is tried', async () => {
  for (const { used, implementations } of await findImplementations(undefined, folder)) {
    expect(used).toBe('composed');
    expect(implementations).toEqual([{ name: 'composed', reason: 'WebAssembly has no other' }]);
  }
});

describe.runIf(canEmulate)('a run that goes on', () => {
  const { layers = [] } = engine.report;
  /** As an engine would have reported that found another way the fastest. */
  const computedBy = (layer: LayerName, used: ImplementationName) =>
    layers.map((report) => (report.layer === layer ? { ...report, used } : report));
  const able = ['kernel', 'block', 'operations', 'composed'] as const;
  const nameFor = (layer: LayerName) => chooseForLayer(layer, 'best', able).name;
  const usedOf = (reports: readonly LayerReport[], layer: LayerName) =>
    reports.find((report) => report.layer === layer)?.used;
  afterAll(() => {
    keepImplementations(layers);
  });

  it('computes its layers as before, whatever is fastest now, and the next run by that again', () => {
    for (const before of ['block', 'operations', 'kernel'] as const) {
      const kept = keepImplementations(layers, computedBy('LSTM', before));
      expect([usedOf(kept, 'LSTM'), nameFor('LSTM')]).toEqual([before, before]);
      expect(usedOf(kept, 'GRU')).toBe(usedOf(layers, 'GRU'));
    }
    expect(keepImplementations(layers)).toEqual(layers);
    expect(nameFor('LSTM')).toBe(usedOf(layers, 'LSTM'));
  });

  it('keeps nothing that is not right here', () => {
    const wrong = layers.map((report) => ({
      ...report,
      used: 'operations' as const,
      implementations: report.implementations.map((implementation) =>
        implementation.name === 'block' || implementation.name === 'kernel'
          ? { ...implementation, agrees: false }
          : implementation,
      ),
    }));
    for (const before of ['block', 'kernel', 'cudnn'] as const) {
      expect(keepImplementations(wrong, computedBy('LSTM', before))).toEqual(wrong);
      expect(nameFor('LSTM')).toBe('operations');
    }
  });
});

describe.runIf(canEmulate)('an engine on a GPU', () => {
  it('tries cuDNN and TensorFlow’s operations, not our kernels, nor what ended it before', async () => {
    const mark = join(folder, 'GRU-cudnn');
    // Above the greatest number that Linux gives a process.
    await writeFile(mark, '4194305\n');
    const emulated = emulateCudnn();
    const before = engine.liveTensors();
    const reports = await findImplementations({ usesGpu: true }, folder);
    emulated.restore();
    expect(engine.liveTensors()).toBe(before);
    const found = Object.fromEntries(
      reports.flatMap(({ layer, implementations }) =>
        implementations.map((implementation) => [
          `${layer} ${implementation.name}`,
          implementation,
        ]),
      ),
    );
    for (const { layer, used } of reports) {
      expect(found[`${layer} kernel`]).toEqual({
        name: 'kernel',
        reason: 'our kernels compute on the CPU',
      });
      expect(found[`${layer} ${used}`]?.agrees).toBe(true);
    }
    for (const name of ['SimpleRNN cudnn', 'LSTM cudnn', 'LSTM block', 'GRU composed']) {
      expect([name, found[name]?.agrees]).toEqual([name, true]);
    }
    expect(found['GRU cudnn']).toEqual({
      name: 'cudnn',
      reason: `ended the engine when it was tried; delete ${mark} to have it tried again`,
    });
    expect(await readdir(folder)).toEqual(['GRU-cudnn']);
  });
});
