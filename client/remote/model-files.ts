import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';

const scheme = 'file://';
const topologyFile = 'model.json';
const weightsFile = 'weights.bin';

/**
 * Lets programs save models to folders and load them, with the addresses and the files of
 * `@tensorflow/tfjs-node`: `model.save('file://folder')` writes `model.json` and `weights.bin` there,
 * `tf.loadLayersModel('file://folder/model.json')` reads them. What follows the scheme is a path, from
 * the current folder where it is not absolute. Nothing is changed where tfjs has such files already.
 */
export function registerModelFiles(): void {
  if (tf.io.getSaveHandlers(scheme).length > 0) return;
  tf.io.registerSaveRouter((url) => handlerFor(url, (path) => ({ save: saveTo(path) })));
  tf.io.registerLoadRouter((url) => handlerFor(url, (path) => ({ load: loadFrom(path) })));
}

function handlerFor(
  url: string | string[],
  handler: (path: string) => tf.io.IOHandler,
): tf.io.IOHandler {
  const isFile = typeof url === 'string' && url.startsWith(scheme);
  // tfjs' type leaves out that a router answers null to what is not its own.
  return isFile ? handler(url.slice(scheme.length)) : (null as unknown as tf.io.IOHandler);
}

const saveTo =
  (folder: string): tf.io.SaveHandler =>
  async (artifacts) => {
    const { modelTopology, weightSpecs = [], weightData = new ArrayBuffer(0) } = artifacts;
    const { format, generatedBy, convertedBy, trainingConfig, userDefinedMetadata } = artifacts;
    const model = {
      ...{ modelTopology, format, generatedBy, convertedBy, trainingConfig, userDefinedMetadata },
      weightsManifest: [{ paths: [`./${weightsFile}`], weights: weightSpecs }],
    };
    await mkdir(folder, { recursive: true });
    const weights = new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData));
    await writeFile(join(folder, weightsFile), weights);
    await writeFile(join(folder, topologyFile), JSON.stringify(model));
    return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
  };

const loadFrom = (path: string) => async (): Promise<tf.io.ModelArtifacts> => {
  // tfjs reads what is missing or of another form as an error of the model's.
  const model: tf.io.ModelJSON = JSON.parse(await readFile(path, 'utf8'));
  return await tf.io.getModelArtifactsForJSON(model, async (manifest) => {
    const parts: Uint8Array[] = [];
    for (const { paths } of manifest) {
      for (const part of paths) parts.push(await readFile(join(dirname(path), part)));
    }
    const specs = manifest.flatMap(({ weights }) => weights);
    return [specs, Uint8Array.from(Buffer.concat(parts)).buffer];
  });
};
