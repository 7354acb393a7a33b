/**
 * An ordinary tfjs program on a worker's engine: only `connect` and the backend's name are ours.
 *
 *     node examples/tfjs-on-a-worker.ts [worker]
 *
 * Without a name it takes the worker on this machine, and starts it where it does not run.
 */
import * as tf from '@tensorflow/tfjs';
import { connect } from 'teletrain';

const session = await connect(process.argv[2], { onProgress: (message) => console.error(message) });
await tf.setBackend('remote');
console.log(`training on ${session.worker}: ${session.engine.kind}, ${session.engine.device}`);

// Points in a circle or around it.
const points = tf.randomUniform([512, 2], -1, 1, 'float32', 7);
const inside = tf.tidy(() => points.square().sum(1, true).less(0.5).cast('float32'));

const model = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [2], units: 16, activation: 'tanh' }),
    tf.layers.dense({ units: 1, activation: 'sigmoid' }),
  ],
});
model.compile({
  optimizer: tf.train.adam(0.1),
  loss: 'binaryCrossentropy',
  metrics: ['accuracy'],
});
const { history } = await model.fit(points, inside, { epochs: 12, verbose: 0 });

const last = (name: string) => Number(history[name]?.at(-1));
console.log(`loss ${last('loss').toFixed(3)} nats, accuracy ${last('acc').toFixed(3)}`);
session.close();
