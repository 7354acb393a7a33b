import { createRandom, type Random } from '../random.ts';

/** Fills a new weight. The numbers are float64 until stored, so every engine gets the same bits. */
export type Initializer = (shape: readonly number[], random: Random) => Float32Array;

export const zeros: Initializer = (shape) => new Float32Array(size(shape));

/** Uniform in [-limit, limit), as Keras' RandomUniform(-limit, limit). */
export function uniform(limit: number): Initializer {
  return (shape, random) =>
    Float32Array.from({ length: size(shape) }, () => (2 * random.next() - 1) * limit);
}

/**
 * Keras' GlorotUniform: limit sqrt(6 / (fanIn + fanOut)), the last two dimensions being inputs and
 * outputs and those before them, if any, the receptive field.
 */
export const glorotUniform: Initializer = (shape, random) => {
  const [inputs = 1, outputs = 1] = shape.slice(-2);
  const field = size(shape.slice(0, -2));
  return uniform(Math.sqrt(6 / (field * (inputs + outputs))))(shape, random);
};

/** Keras' Orthogonal: for [rows, columns], an orthonormal set of the shorter dimension's vectors. */
export const orthogonal: Initializer = (shape, random) => {
  const [rows = 1, columns = 1] = shape;
  const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
  const vectors: Float64Array[] = [];
  while (vectors.length < count) {
    const vector = Float64Array.from({ length }, () => normal(random));
    // Twice, since one pass of Gram-Schmidt leaves what rounding lost.
    for (const other of [...vectors, ...vectors]) {
      const along = dot(vector, other);
      for (let index = 0; index < length; index++) {
        vector[index] = at(vector, index) - along * at(other, index);
      }
    }
    const norm = Math.sqrt(dot(vector, vector));
    vectors.push(vector.map((value) => value / norm));
  }
  return Float32Array.from({ length: rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    const vector = vectors[rows >= columns ? column : row];
    return vector === undefined ? 0 : at(vector, rows >= columns ? row : column);
  });
};

/**
 * Keras' `unit_forget_bias` for a bias [4 · units] of gates i, f, c, o: ones for f, else zeros. A
 * fresh LSTM then remembers.
 */
export const unitForgetBias: Initializer = (shape) => {
  const units = size(shape) / 4;
  return zeros(shape, noRandom).fill(1, units, 2 * units);
};

const noRandom = createRandom(0);

/** A standard normal number, by Box and Muller (1958); 1 - u keeps the logarithm finite. */
function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return radius * Math.cos(2 * Math.PI * random.next());
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, index) => sum + value * at(b, index), 0);
}

/** The index is always within the array; the checker cannot know. */
function at(array: Float64Array, index: number): number {
  return array[index] ?? 0;
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}
