// A regression on a table in a file, read, shuffled and batched by tf.data.
import * as tf from '@tensorflow/tfjs-node';

const rows = tf.data.csv(`file://${process.argv[2]}`, { columnConfigs: { z: { isLabel: true } } });
const examples = rows
  .map(({ xs, ys }) => ({ xs: Object.values(xs), ys: Object.values(ys) }))
  .shuffle(100)
  .batch(20);

const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
model.compile({ optimizer: tf.train.sgd(0.2), loss: 'meanSquaredError' });
const { history } = await model.fitDataset(examples, { epochs: 12, verbose: 0 });

const predicted = model.predict(tf.tensor2d([[0.5, -0.5]]));
console.log(
  JSON.stringify({
    backend: tf.getBackend(),
    loss: history.loss.at(-1),
    z: predicted.dataSync()[0],
  }),
);
