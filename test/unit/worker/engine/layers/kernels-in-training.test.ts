import * as tf from '@tensorflow/tfjs-core';
import { afterAll, expect, it, onTestFinished, vi } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { registerFusedLayers } from '../../../../../worker/engine/layers/register.ts';
import { NativeDispatch } from '../../../../../worker/engine/ops/native-dispatch.ts';
import { kernelCases, type LayerCase, loopCases, modelOf, sequencesOf } from './layer-cases.ts';
import { train } from './train.ts';

afterAll(registerFusedLayers());
const engine = await openEngine();
const hasKernels = engine.kind === 'native' && engine.device === 'cpu';
if (!hasKernels) {
  console.warn('NOT CHECKED: which kernels the layers run. Missing: the native engine on a CPU.');
}

/** The operations of our own that ran. */
function kernelsRun(): () => string[] {
  const calls = vi.spyOn(NativeDispatch.prototype, 'runMany');
  onTestFinished(() => calls.mockRestore());
  return () =>
    calls.mock.calls
      .map(([name]) => name)
      .filter((name) => /^Teletrain.*(RNN|LSTM|GRU)/.test(name));
}

const trained = (cases: typeof kernelCases) =>
  Object.entries(cases).filter(([, layer]) => layer.trained);

it.runIf(hasKernels).each(trained(kernelCases))(
  'model.fit runs one kernel each way: %s',
  async (name, layer) => {
    const model = modelOf(layer);
    const run = kernelsRun();
    await train(model, sequencesOf(layer));
    const kind = /SimpleRNN|LSTM|GRU/.exec(name)?.[0];
    const directions = name.startsWith('Bidirectional') ? 2 : 1;
    const expected = [
      ...Array(directions).fill(`Teletrain${kind}`),
      ...Array(directions).fill(`Teletrain${kind}Grad`),
    ];
    expect(run()).toEqual(expected);
  },
);

it.runIf(hasKernels).each(trained(loopCases))(
  'model.fit runs tfjs’ own loop: %s',
  async (_, layer) => {
    const model = modelOf(layer);
    const run = kernelsRun();
    await train(model, sequencesOf(layer));
    expect(run()).toEqual([]);
  },
);

it('nothing is left behind by training, prediction and disposal', async () => {
  const work = async () => {
    for (const name of ['LSTM over all timesteps', 'Bidirectional GRU, multiplied']) {
      const layer = kernelCases[name] as LayerCase;
      const model = modelOf(layer);
      const inputs = sequencesOf(layer);
      await train(model, inputs, 3);
      tf.dispose([model.predict(inputs), inputs]);
      model.optimizer?.dispose();
      model.dispose();
    }
  };
  await work();
  const before = engine.liveTensors();
  await work();
  expect(engine.liveTensors()).toBe(before);
});
