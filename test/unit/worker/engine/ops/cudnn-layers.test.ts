import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import type { Implementation } from '../../../../../worker/engine/ops/choose.ts';
import { gruWithState } from '../../../../../worker/engine/ops/gru.ts';
import { lstmWithState } from '../../../../../worker/engine/ops/lstm.ts';
import type {
  GruWeights,
  LstmWeights,
  SimpleRnnWeights,
} from '../../../../../worker/engine/ops/recurrent-weights.ts';
import { simpleRnn, simpleRnnWithState } from '../../../../../worker/engine/ops/simple-rnn.ts';
import { probedLayers } from '../../../../../worker/engine/probe/layers.ts';
import { probeLayers } from '../../../../../worker/engine/probe/probe.ts';
import { largestDifference, randomTensor, valueAndGradients } from '../on-each-engine.ts';
import { emulateCudnn } from './emulated-cudnn.ts';

const engine = await openEngine();
const canEmulate = engine.kind === 'native' && engine.device === 'cpu';
if (!canEmulate) {
  console.warn('NOT CHECKED: how cuDNN is called. Missing: the native engine on a CPU.');
}

const [timesteps, batch, features, units] = [4, 3, 5, 7];

interface Layer {
  readonly gates: number;
  readonly bias: readonly number[];
  readonly states: number;
  /** Outputs and the last state in one vector. */
  run(implementation: Implementation): (...inputs: tf.Tensor[]) => tf.Tensor;
}

const flat = (...tensors: tf.Tensor[]) =>
  tf.concat(tensors.map((tensor) => tf.reshape(tensor, [-1])));
const weightsOf = <Weights>([kernel, recurrentKernel, bias]: tf.Tensor[]) =>
  ({ kernel, recurrentKernel, bias }) as Weights;

const layers: Record<string, Layer> = {
  SimpleRNN: {
    gates: 1,
    bias: [units],
    states: 1,
    run:
      (implementation) =>
      (inputs, ...given) => {
        const { outputs, lastState } = simpleRnnWithState(
          inputs as tf.Tensor3D,
          weightsOf<SimpleRnnWeights>(given),
          { implementation, initialState: given[3] as tf.Tensor2D },
        );
        return flat(outputs, lastState);
      },
  },
  LSTM: {
    gates: 4,
    bias: [4 * units],
    states: 2,
    run:
      (implementation) =>
      (inputs, ...given) => {
        const { outputs, lastState } = lstmWithState(
          inputs as tf.Tensor3D,
          weightsOf<LstmWeights>(given),
          {
            implementation,
            initialState: { output: given[3] as tf.Tensor2D, cell: given[4] as tf.Tensor2D },
          },
        );
        return flat(outputs, lastState.output, lastState.cell);
      },
  },
  GRU: {
    gates: 3,
    bias: [2, 3 * units],
    states: 1,
    run:
      (implementation) =>
      (inputs, ...given) => {
        const { outputs, lastState } = gruWithState(
          inputs as tf.Tensor3D,
          weightsOf<GruWeights>(given),
          { implementation, initialState: given[3] as tf.Tensor2D },
        );
        return flat(outputs, lastState);
      },
  },
};

function inputsOf({ gates, bias, states }: Layer): tf.Tensor[] {
  return [
    randomTensor('inputs', [timesteps, batch, features]),
    randomTensor('kernel', [features, gates * units]),
    randomTensor('recurrent kernel', [units, gates * units]),
    randomTensor('bias', [...bias] as [number]),
    ...Array.from({ length: states }, (_, state) => randomTensor(`state ${state}`, [batch, units])),
  ];
}

describe.runIf(canEmulate)('cuDNN, as NVIDIA documents it', () => {
  let emulated: ReturnType<typeof emulateCudnn>;
  beforeAll(() => {
    emulated = emulateCudnn();
  });
  afterAll(() => emulated.restore());

  it.each(Object.entries(layers))(
    'gives %s with Keras’ weights: outputs, last state and all gradients',
    (_, layer) => {
      const inputs = inputsOf(layer);
      const cudnn = valueAndGradients(layer.run('cudnn'), inputs);
      const reference = valueAndGradients(layer.run('composed'), inputs);
      expect(largestDifference(cudnn.value, reference.value)).toBeLessThan(1e-6);
      expect(cudnn.gradients).toHaveLength(inputs.length);
      for (const [place, gradient] of cudnn.gradients.entries()) {
        const expected = reference.gradients[place] as tf.Tensor;
        expect(largestDifference(gradient, expected)).toBeLessThan(2e-5);
      }
    },
  );

  it.each(Object.entries(layers))('leaves no tensor of %s behind', (_, layer) => {
    const inputs = inputsOf(layer);
    const step = () => {
      const { value, gradients } = valueAndGradients(layer.run('cudnn'), inputs);
      tf.dispose([value, gradients]);
    };
    step();
    const before = engine.liveTensors();
    step();
    step();
    expect(engine.liveTensors()).toBe(before);
  });
});

describe.runIf(canEmulate)('where cuDNN runs', () => {
  it('the engine’s probe finds it right for each of its layers', async () => {
    const emulated = emulateCudnn();
    onTestFinished(() => emulated.restore());
    const probed = probedLayers.filter(({ layer }) => layer in layers);
    const reports = await probeLayers(probed, {
      notTried: (_, name) => (name === 'kernel' ? 'as on a GPU' : undefined),
      budget: 0,
    });
    expect(reports.map(({ layer, used }) => [layer, used])).toEqual([
      ['SimpleRNN', 'cudnn'],
      ['LSTM', 'cudnn'],
      ['GRU', 'cudnn'],
    ]);
    for (const { implementations } of reports) {
      expect(implementations[0]).toEqual({ name: 'kernel', reason: 'as on a GPU' });
      for (const { agrees } of implementations.slice(1)) expect(agrees).toBe(true);
    }
  });
});

describe.runIf(canEmulate)('on a CPU', () => {
  it('cuDNN is refused in TensorFlow’s words, silently and with nothing left behind', () => {
    const said = vi.spyOn(process.stderr, 'write');
    const inputs = inputsOf(layers.SimpleRNN as Layer) as [tf.Tensor3D, ...tf.Tensor[]];
    const call = () =>
      tf.tidy(() =>
        simpleRnn(inputs[0], weightsOf<SimpleRnnWeights>(inputs.slice(1)), {
          implementation: 'cudnn',
        }),
      );
    expect(call).toThrow(/Could not find device for node.*no registered kernels/s);
    // The inputs have their handles from their first use on.
    const before = engine.liveTensors();
    expect(call).toThrow(/CudnnRNN/);
    expect(engine.liveTensors()).toBe(before);
    expect(said).not.toHaveBeenCalled();
    said.mockRestore();
  });
});
