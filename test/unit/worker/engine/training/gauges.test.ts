import { expect, test } from 'vitest';
import { GaugeReader, parseGpuLine } from '../../../../../worker/engine/training/gauges.ts';

test("nvidia-smi's line is read in the units of the gauges", () => {
  expect(parseGpuLine('37, 1024, 15360\n0, 1, 2\n')).toEqual({
    utilisation: 0.37,
    memoryUsedBytes: 1024 * 2 ** 20,
    memoryBytes: 15360 * 2 ** 20,
  });
});

test.each(['', 'No devices were found', '[N/A], 3, 4', '37, 1024'])(
  'a GPU that does not tell (%j) has no gauge rather than a wrong one',
  (text) => {
    expect(parseGpuLine(text)).toBeUndefined();
  },
);

test("the machine's gauges are within what can be", () => {
  const reader = new GaugeReader(() => 12, 'cpu');
  const until = performance.now() + 50;
  while (performance.now() < until);
  const gauges = reader.read();
  reader.close();
  expect(gauges.liveTensors).toBe(12);
  expect(gauges.cpu).toBeGreaterThanOrEqual(0);
  expect(gauges.cpu).toBeLessThanOrEqual(1);
  expect(gauges.engineMemoryBytes).toBeGreaterThan(1e6);
  expect(gauges.systemMemoryUsedBytes).toBeGreaterThan(gauges.engineMemoryBytes / 10);
  expect(gauges.systemMemoryUsedBytes).toBeLessThan(gauges.systemMemoryBytes);
  expect(gauges).not.toHaveProperty('gpu');
});
