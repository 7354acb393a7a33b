import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { Implementation } from '../../../../../worker/engine/ops/choose.ts';
import { embedding } from '../../../../../worker/engine/ops/embedding.ts';
import { lstm } from '../../../../../worker/engine/ops/lstm.ts';
import { sigmoidCrossEntropy } from '../../../../../worker/engine/ops/sigmoid-cross-entropy.ts';
import { simpleRnn } from '../../../../../worker/engine/ops/simple-rnn.ts';
import {
  directionalRatios,
  largestDifference,
  onEachEngine,
  randomTensor,
  valueAndGradients,
} from '../on-each-engine.ts';

const [timesteps, batch, features, units] = [6, 3, 4, 5];

/** Inputs, kernel, recurrent kernel, bias. */
function sequenceInputs(gates: number): tf.Tensor[] {
  return [
    randomTensor('inputs', [timesteps, batch, features]),
    randomTensor('kernel', [features, gates * units], 0.5),
    randomTensor('recurrent kernel', [units, gates * units], 0.5),
    randomTensor('bias', [gates * units], 0.5),
  ];
}

type SequenceLayer = (implementation: Implementation) => (...inputs: tf.Tensor[]) => tf.Tensor;

const layers: Record<string, { gates: number; layer: SequenceLayer; plain: typeof plainRnn }> = {
  SimpleRNN: { gates: 1, layer: wholeSequence(simpleRnn), plain: plainRnn },
  LSTM: { gates: 4, layer: wholeSequence(lstm), plain: plainLstm },
};

function wholeSequence(operation: typeof simpleRnn | typeof lstm): SequenceLayer {
  return (implementation) => (inputs, kernel, recurrentKernel, bias) =>
    operation(
      inputs as tf.Tensor3D,
      {
        kernel: kernel as tf.Tensor2D,
        recurrentKernel: recurrentKernel as tf.Tensor2D,
        bias: bias as tf.Tensor1D,
      },
      { implementation },
    );
}

/** The layers as their definitions say, a graph of plain operations for every timestep. */
function plainRnn(...[x, w, u, b]: tf.Tensor[]): tf.Tensor {
  let state: tf.Tensor = tf.zeros([batch, units]);
  const states = tf.unstack(x as tf.Tensor).map((input) => {
    const sum = tf.add(tf.matMul(input as tf.Tensor2D, w as tf.Tensor2D), b as tf.Tensor);
    state = tf.tanh(tf.add(sum, tf.matMul(state as tf.Tensor2D, u as tf.Tensor2D)));
    return state;
  });
  return tf.stack(states);
}

function plainLstm(...[x, w, u, b]: tf.Tensor[]): tf.Tensor {
  let output: tf.Tensor = tf.zeros([batch, units]);
  let cell: tf.Tensor = tf.zeros([batch, units]);
  const outputs = tf.unstack(x as tf.Tensor).map((input) => {
    const sum = tf.add(tf.matMul(input as tf.Tensor2D, w as tf.Tensor2D), b as tf.Tensor);
    const gates = tf.add(sum, tf.matMul(output as tf.Tensor2D, u as tf.Tensor2D));
    const [i, f, c, o] = tf.split(gates, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    cell = tf.add(tf.mul(tf.sigmoid(f), cell), tf.mul(tf.sigmoid(i), tf.tanh(c)));
    output = tf.mul(tf.sigmoid(o), tf.tanh(cell));
    return output;
  });
  return tf.stack(outputs);
}

onEachEngine((engine) => {
  describe.each(Object.entries(layers))(
    '%s over a whole sequence',
    (_, { gates, layer, plain }) => {
      it.each(['best', 'composed'] as const)(
        'equals its definition, outputs and all gradients (%s)',
        (implementation) => {
          const inputs = sequenceInputs(gates);
          const whole = valueAndGradients(layer(implementation), inputs);
          const definition = valueAndGradients(plain, inputs);
          expect(largestDifference(whole.value, definition.value)).toBeLessThan(1e-6);
          for (const [place, gradient] of whole.gradients.entries()) {
            const expected = definition.gradients[place] as tf.Tensor;
            expect(largestDifference(gradient, expected)).toBeLessThan(2e-5);
          }
        },
      );

      it('has the gradients that central differences show', () => {
        for (const ratio of directionalRatios(layer('best'), sequenceInputs(gates))) {
          expect(ratio).toBeCloseTo(1, 1.5);
        }
      });

      it('works for a single timestep', () => {
        const [inputs, ...weights] = sequenceInputs(gates) as [tf.Tensor, ...tf.Tensor[]];
        const whole = layer('best')(inputs, ...weights);
        const first = tf.slice(inputs, [0, 0, 0], [1, -1, -1]);
        const { value, gradients } = valueAndGradients(layer('best'), [first, ...weights]);
        expect(largestDifference(value, tf.slice(whole, [0, 0, 0], [1, -1, -1]))).toBeLessThan(
          1e-6,
        );
        expect(gradients.map(({ shape }) => shape)).toEqual(
          [first, ...weights].map((t) => t.shape),
        );
      });

      it('leaves no tensor behind, with gradients and without', () => {
        const inputs = sequenceInputs(gates);
        const step = () => {
          for (const implementation of ['best', 'composed'] as const) {
            const { value, gradients } = valueAndGradients(layer(implementation), inputs);
            tf.dispose([value, gradients]);
          }
        };
        step();
        const before = engine().liveTensors();
        step();
        step();
        expect(engine().liveTensors()).toBe(before);
      });
    },
  );

  it('gives the gradient of an embedding as the sum over each token’s places', () => {
    const tokens = tf.tensor2d([3, 1, 3, 0, 3, 1], [2, 3], 'int32');
    const vectors = randomTensor<tf.Rank.R2>('embeddings', [5, 2]);
    const dy = randomTensor<tf.Rank.R3>('weights of the value', [2, 3, 2]);
    const { value, gradients } = valueAndGradients(
      (e) => embedding(e as tf.Tensor2D, tokens),
      [vectors],
    );
    const oneHot = tf.oneHot(tf.reshape(tokens, [6]), 5) as tf.Tensor2D;
    const expected = tf.matMul(tf.cast(oneHot, 'float32'), tf.reshape(dy, [6, 2]), true);
    expect(largestDifference(value, tf.reshape(tf.gather(vectors, tokens), [2, 3, 2]))).toBe(0);
    expect(largestDifference(gradients[0] as tf.Tensor, expected)).toBeLessThan(1e-6);
  });

  it('gives a cross-entropy without overflow for certain and for hardly possible outcomes', () => {
    const logits = tf.tensor1d([0, 30, -30, 200, -200, 30]);
    const targets = tf.tensor1d([1, 1, 0, 0, 1, 0]);
    const { value, gradients } = valueAndGradients(
      (l) => sigmoidCrossEntropy(l, targets),
      [logits],
    );
    const expected = [Math.log(2), Math.exp(-30), Math.exp(-30), 200, 200, 30];
    expect(largestDifference(value, tf.tensor1d(expected))).toBeLessThan(1e-7);
    const dy = randomTensor('weights of the value', [6]);
    const slope = tf.mul(dy, tf.sub(tf.sigmoid(logits), targets));
    expect(largestDifference(gradients[0] as tf.Tensor, slope)).toBe(0);
  });
});
