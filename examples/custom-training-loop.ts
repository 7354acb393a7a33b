/**
 * A training loop of one's own, on data that exists on this machine alone: a worker learns to continue
 * a text, and is sent excerpts of it, 64 at a step.
 *
 *     node examples/custom-training-loop.ts [worker] [file]
 *
 * Without a name it takes the worker on this machine, and starts it where it does not run; without a
 * file, the text is teletrain's own architecture page.
 */
import { readFile } from 'node:fs/promises';
import { connect } from 'teletrain';

const [worker, file = new URL('../ARCHITECTURE.md', import.meta.url)] = process.argv.slice(2);
const text = await readFile(file, 'latin1');
const timesteps = 32;

/** Characters from random places of the text, and the one that follows each excerpt. */
function excerpts(batch: number) {
  const inputs = new Int32Array(batch * timesteps);
  const targets = new Int32Array(batch);
  for (let example = 0; example < batch; example += 1) {
    const from = Math.floor(Math.random() * (text.length - timesteps));
    for (let at = 0; at < timesteps; at += 1) {
      inputs[example * timesteps + at] = text.charCodeAt(from + at);
    }
    targets[example] = text.charCodeAt(from + timesteps);
  }
  return {
    inputs: { values: inputs, shape: [batch, timesteps] },
    targets: { values: targets, shape: [batch] },
  };
}

const layer = (name: string, config: object) => ({ class_name: name, config });
const network = layer('Sequential', {
  name: 'next_character',
  layers: [
    layer('Embedding', { input_dim: 256, output_dim: 32, batch_input_shape: [null, timesteps] }),
    layer('LSTM', { units: 64, recurrent_activation: 'sigmoid' }),
    layer('Dense', { units: 256 }),
  ],
});

const session = await connect(worker, { onProgress: (message) => console.error(message) });
const model = session.createModel({ modelJson: network });
for (let step = 1; step <= 161; step += 1) {
  const trained = model.forwardBackward(excerpts(64), 'sparseCategoricalCrossentropyFromLogits');
  const applied = model.optimStep({ optimizer: 'adam', learningRate: 0.01, clipNorm: 1 });
  // Steps are sent ahead; only every twentieth is waited for.
  if (step % 20 === 1) {
    const [{ loss }] = await Promise.all([trained, applied]);
    console.log(`step ${step}: ${loss.toFixed(2)} nats a character`);
  }
}
session.close();
