import { expect, test } from 'vitest';
import {
  differences,
  type Surroundings,
} from '../../../../../worker/engine/training/differences.ts';
import { tinyReport } from './tiny-run.ts';

const before: Surroundings = {
  version: '0.1.0',
  engine: { ...tinyReport, kind: 'native', tensorflowVersion: '2.20.0', threads: 2 },
  dataset: {
    name: 'mnist',
    sources: [
      { file: 'a', sha256: 'aa' },
      { file: 'b', sha256: 'bb' },
    ],
  },
};

test('the same surroundings differ in nothing, wherever the files lie', () => {
  const sources = before.dataset.sources.toReversed();
  const now = { ...before, dataset: { ...before.dataset, sources } };
  expect(differences(before, structuredClone(now))).toEqual([]);
});

test('two builds of the same TensorFlow differ', () => {
  const engineOf = (origin: 'installed' | 'fetched') => ({
    ...before.engine,
    tensorflowSource: { directory: '/tensorflow', origin },
  });
  const now = { ...before, engine: engineOf('fetched') };
  expect(differences({ ...before, engine: engineOf('installed') }, now)).toEqual([
    'TensorFlow build installed before, fetched now',
  ]);
  expect(differences(now, { ...now, engine: engineOf('fetched') })).toEqual([]);
});

test('each thing that bit-identity rests on is named with its two values', () => {
  expect(
    differences(before, {
      version: '0.2.0',
      engine: { ...tinyReport, threads: 4, cpu: 'another' },
      dataset: { name: 'mnist', sources: [{ file: 'a', sha256: 'cc' }] },
    }),
  ).toEqual([
    'teletrain 0.1.0 before, 0.2.0 now',
    'engine native on cpu before, wasm on cpu now',
    'TensorFlow 2.20.0 before, none now',
    'threads 2 before, 4 now',
    'CPU any before, another now',
    'data SHA-256 aa bb before, cc now',
  ]);
});

test('another way to compute the layer of the run differs, and of another layer it does not', () => {
  const engineWith = (used: 'kernel' | 'cudnn') => ({
    ...before.engine,
    layers: (['SimpleRNN', 'LSTM'] as const).map((layer) => ({
      layer,
      used: layer === 'LSTM' ? used : ('kernel' as const),
      implementations: [],
    })),
  });
  const then = { ...before, engine: engineWith('kernel') };
  const now = { ...before, engine: engineWith('cudnn') };
  expect(differences(then, now, 'LSTM')).toEqual(['LSTM by kernel before, cudnn now']);
  expect(differences(then, now, 'SimpleRNN')).toEqual([]);
  expect(differences(then, now)).toEqual([]);
  // Written before engines said so.
  expect(differences(before, now, 'LSTM')).toEqual([]);
});
