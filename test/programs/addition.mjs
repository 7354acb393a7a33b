// A sequence to a sequence: two numbers' digits in, their sum's out, by recurrent layers of tfjs' own.
import * as tf from '@tensorflow/tfjs';

const symbols = '0123456789+ ';
const timesteps = 3;

/** One row of one-hot symbols for each text, padded with blanks. */
function oneHot(texts, length) {
  const indices = texts.map((text) =>
    [...text.padEnd(length)].map((symbol) => symbols.indexOf(symbol)),
  );
  return tf.oneHot(tf.tensor2d(indices, [texts.length, length], 'int32'), symbols.length);
}

const sums = Array.from({ length: 100 }, (_, index) => [Math.floor(index / 10), index % 10]);
const questions = oneHot(
  sums.map(([a, b]) => `${a}+${b}`),
  timesteps,
);
const answers = oneHot(
  sums.map(([a, b]) => String(a + b)),
  2,
);

const model = tf.sequential();
model.add(tf.layers.simpleRNN({ units: 48, inputShape: [timesteps, symbols.length] }));
model.add(tf.layers.repeatVector({ n: 2 }));
model.add(tf.layers.lstm({ units: 48, returnSequences: true }));
model.add(tf.layers.timeDistributed({ layer: tf.layers.dense({ units: symbols.length }) }));
model.add(tf.layers.activation({ activation: 'softmax' }));
model.compile({
  optimizer: tf.train.adam(0.02),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});

const { history } = await model.fit(questions, answers, { epochs: 60, batchSize: 50, verbose: 0 });
console.log(JSON.stringify({ backend: tf.getBackend(), accuracy: history.acc.at(-1) }));
