import { expect, test } from 'vitest';
import { releaseBytes } from '../../../shared/release-bytes.ts';

test('memory that is nobody else’s is given back at once', () => {
  const bytes = new Uint8Array(256 * 1024);
  releaseBytes(bytes);
  expect(bytes.buffer.byteLength).toBe(0);
});

test('memory that others may look at stays', () => {
  const whole = new Uint8Array(256 * 1024).fill(7);
  releaseBytes(whole.subarray(16));
  releaseBytes(new Uint8Array(new SharedArrayBuffer(256 * 1024)));
  expect(whole.at(-1)).toBe(7);
});
