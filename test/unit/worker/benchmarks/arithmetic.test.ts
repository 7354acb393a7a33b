import { expect, it } from 'vitest';
import {
  layerOperations,
  pixelRnnArithmetic,
  sentimentArithmetic,
} from '../../../../worker/benchmarks/arithmetic.ts';

/** Forward and backward of [rows, inner] times [inner, columns]: three products of the same size. */
const products = (rows: number, inner: number, columns: number) => 3 * 2 * rows * inner * columns;

it('a stack’s operations are those of each layer’s two products at each timestep', () => {
  const [batch, timesteps, units] = [128, 500, 32];
  const rows = batch * timesteps;
  const layer = (features: number) =>
    products(rows, features, units) + products(rows, units, units);
  const { operations } = sentimentArithmetic({
    ...{ layer: 'SimpleRNN', layers: 4, units, batch, timesteps, embeddingUnits: 20 },
  });
  expect(operations).toBe(layer(20) + 3 * layer(units));
});

it('an LSTM has four gates and a GRU three', () => {
  const size = { layers: 1, units: 256, batch: 8, timesteps: 9, embeddingUnits: 32 };
  const rows = 8 * 9;
  const gates = (count: number) =>
    products(rows, 32, count * 256) + products(rows, 256, count * 256);
  expect(sentimentArithmetic({ layer: 'LSTM', ...size }).operations).toBe(gates(4));
  expect(sentimentArithmetic({ layer: 'GRU', ...size }).operations).toBe(gates(3));
});

it('PixelRNN’s operations are those of all its convolutions at each pixel', () => {
  const [batch, units, outputUnits] = [16, 8, 12];
  const [pixels, maps] = [28 * 28 * batch, 16];
  const direction = products(pixels, maps, 4 * units) + products(pixels, 2 * units, 4 * units);
  const layer = 2 * direction + products(pixels, units, maps);
  const output =
    products(pixels, maps, outputUnits) +
    products(pixels, outputUnits, outputUnits) +
    products(pixels, outputUnits, 1);
  // No gradient of the pixels is wanted.
  const input = (products(pixels, 24, maps) / 3) * 2;
  const { operations } = pixelRnnArithmetic({ layers: 3, units, outputUnits, batch });
  expect(operations).toBeCloseTo(input + 3 * layer + output, 0);
});

it('a layer alone has features as wide as its units', () => {
  const size = { batch: 4, timesteps: 784, units: 16 };
  expect(layerOperations({ layer: 'GRU', ...size })).toBe(2 * products(4 * 784, 16, 48));
  expect(layerOperations({ layer: 'DiagonalLSTM', ...size })).toBe(2 * products(4 * 784, 32, 64));
});
