import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Prepared } from '../serve.ts';
import type { WorkloadOf } from '../workload.ts';
import type { EngineParts } from './engine-parts.ts';

/** A recurrent layer alone, forward and backward: the gradients of its inputs and all its weights. */
export function layer({ tf, layers }: EngineParts, workload: WorkloadOf<'layer'>): Prepared {
  const { batch, timesteps, units } = workload;
  const random = (...shape: number[]) => tf.randomUniform(shape as [number], -0.2, 0.2);
  const weights = (features: number, states: number, gates: number, bias = [gates * units]) => [
    random(features, gates * units),
    random(states, gates * units),
    random(...bias),
  ];
  // In the order and of the shapes that the layer below takes them.
  type Given = [Tensor3D, Tensor2D, Tensor2D, Tensor1D, Tensor1D, Tensor1D];
  const timed = (inputs: Tensor[], run: (...given: Given) => Tensor): Prepared => {
    const call = run as (...tensors: Tensor[]) => Tensor;
    const dy = tf.tidy(() => tf.onesLike(call(...inputs)));
    const gradients = tf.grads(call);
    return {
      step: () => tf.dispose(gradients(inputs, dy)),
      dispose: () => tf.dispose([...inputs, dy]),
    };
  };
  const sequence = random(timesteps, batch, units);
  switch (workload.layer) {
    case 'SimpleRNN':
      return timed(
        [sequence, ...weights(units, units, 1)],
        (inputs, kernel, recurrentKernel, bias) =>
          layers.simpleRnn(inputs, { kernel, recurrentKernel, bias }),
      );
    case 'LSTM':
      return timed(
        [sequence, ...weights(units, units, 4)],
        (inputs, kernel, recurrentKernel, bias) =>
          layers.lstm(inputs, { kernel, recurrentKernel, bias }),
      );
    case 'GRU':
      return timed(
        [sequence, ...weights(units, units, 3, [2, 3 * units])],
        (inputs, kernel, recurrentKernel, bias) =>
          layers.gru(inputs, { kernel, recurrentKernel, bias }),
      );
    case 'DiagonalLSTM':
      return timed(
        [
          random(28 * 28, batch, 2 * units),
          ...weights(2 * units, 2 * units, 4),
          random(units),
          random(units),
        ],
        (inputs, kernel, recurrentKernel, bias, initialOutput, initialCell) =>
          layers.diagonalLstm(
            inputs,
            { kernel, recurrentKernel, bias, initialOutput, initialCell },
            { rows: 28, columns: 28 },
            'left',
          ),
      );
  }
}
