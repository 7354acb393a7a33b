import * as tf from '@tensorflow/tfjs-core';

/**
 * The recurrences as their equations say, plain tfjs operations for every timestep or pixel, and
 * tfjs' own gradients. Arguments as the operations take them; results are the outputs and then the last
 * states.
 */

/** [inputs, kernel, recurrent kernel, bias, h(-1)] */
export function plainSimpleRnn(...[x, w, u, b, initial]: tf.Tensor[]): tf.Tensor[] {
  let state = initial as tf.Tensor;
  const states = timestepsOf(x).map((input) => {
    state = tf.tanh(tf.add(tf.add(product(input, w), b as tf.Tensor), product(state, u)));
    return state;
  });
  return [tf.stack(states), state];
}

/** [inputs, kernel, recurrent kernel, bias, h(-1), c(-1)] */
export function plainLstm(...[x, w, u, b, initial, initialCell]: tf.Tensor[]): tf.Tensor[] {
  let state = { output: initial as tf.Tensor, cell: initialCell as tf.Tensor };
  const outputs = timestepsOf(x).map((input) => {
    const sum = tf.add(tf.add(product(input, w), b as tf.Tensor), product(state.output, u));
    state = lstmStep(sum, state.cell);
    return state.output;
  });
  return [tf.stack(outputs), state.output, state.cell];
}

/** [inputs, kernel, recurrent kernel, bias, h(-1)] */
export function plainGru(resetAfter: boolean) {
  return (...[x, w, u, b, initial]: tf.Tensor[]): tf.Tensor[] => {
    let state = initial as tf.Tensor;
    const [inputBias, stateBias] = resetAfter ? tf.unstack(b as tf.Tensor) : [b as tf.Tensor];
    const states = timestepsOf(x).map((input) => {
      const fromInput = gates(tf.add(product(input, w), inputBias as tf.Tensor), 3);
      const recurrent = product(state, u);
      const fromState = gates(stateBias ? tf.add(recurrent, stateBias) : recurrent, 3);
      const z = tf.sigmoid(tf.add(fromInput(0), fromState(0)));
      const r = tf.sigmoid(tf.add(fromInput(1), fromState(1)));
      const reset = resetAfter
        ? tf.mul(r, fromState(2))
        : product(tf.mul(r, state), gates(u as tf.Tensor, 3)(2));
      const candidate = tf.tanh(tf.add(fromInput(2), reset));
      state = tf.add(tf.mul(z, state), tf.mul(tf.sub(1, z), candidate));
      return state;
    });
    return [tf.stack(states), state];
  };
}

/** [inputs, kernel, recurrent kernel, bias, h outside, c outside] */
export function plainDiagonalLstm(rows: number, columns: number, fromRight: boolean) {
  return (...[x, w, u, b, outsideOutput, outsideCell]: tf.Tensor[]): tf.Tensor[] => {
    const pixels = timestepsOf(x);
    const batch = (x as tf.Tensor).shape[1] ?? 0;
    const outside = {
      output: tf.tile(tf.expandDims(outsideOutput as tf.Tensor, 0), [batch, 1]),
      cell: tf.tile(tf.expandDims(outsideCell as tf.Tensor, 0), [batch, 1]),
    };
    const states: (typeof outside)[] = [];
    for (let row = 0; row < rows; row++) {
      let beside = outside;
      for (let scanned = 0; scanned < columns; scanned++) {
        const pixel = row * columns + (fromRight ? columns - 1 - scanned : scanned);
        const above = row > 0 ? (states[pixel - columns] as typeof outside) : outside;
        const neighbours = tf.concat([above.output, beside.output], 1);
        const fromInput = tf.add(product(pixels[pixel], w), b as tf.Tensor);
        beside = lstmStep(tf.add(fromInput, product(neighbours, u)), beside.cell);
        states[pixel] = beside;
      }
    }
    return [tf.stack(states.map(({ output }) => output))];
  };
}

function lstmStep(sum: tf.Tensor, before: tf.Tensor): { output: tf.Tensor; cell: tf.Tensor } {
  const gate = gates(sum, 4);
  const written = tf.mul(tf.sigmoid(gate(0)), tf.tanh(gate(2)));
  const cell = tf.add(tf.mul(tf.sigmoid(gate(1)), before), written);
  return { output: tf.mul(tf.sigmoid(gate(3)), tf.tanh(cell)), cell };
}

/** tfjs' own gradient of `unstack` fails where there is one timestep. */
function timestepsOf(sequence: tf.Tensor | undefined): tf.Tensor[] {
  const [timesteps = 0, batch = 0, features = 0] = sequence?.shape ?? [];
  return Array.from({ length: timesteps }, (_, timestep) =>
    tf.reshape(tf.slice(sequence as tf.Tensor, timestep, 1), [batch, features]),
  );
}

function gates(sum: tf.Tensor, count: number): (gate: number) => tf.Tensor {
  const parts = tf.split(sum, count, 1);
  return (gate) => parts[gate] as tf.Tensor;
}

function product(x: tf.Tensor | undefined, kernel: tf.Tensor | undefined): tf.Tensor {
  return tf.matMul(x as tf.Tensor2D, kernel as tf.Tensor2D);
}
