import { expect, test } from 'vitest';
import { excuse } from './exceptions.ts';
import { defineJasmineGlobals } from './jasmine-globals.ts';
import { openSpecsBackend } from './specs-backend.ts';

const { backendName, settle, mismatches } = await openSpecsBackend();
defineJasmineGlobals({ settle, excuse });
// The specs look for their backend when they are loaded.
await import('@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js');
await import('@tensorflow/tfjs-core/dist/register_all_gradients.js');
const { setTestEnvs } = await import('@tensorflow/tfjs-core/dist/jasmine_util.js');
setTestEnvs([{ name: 'test-tensorflow', backendName, flags: {}, isDataSync: true }]);
await import('@tensorflow/tfjs-core/dist/tests.js');

if (mismatches) {
  test('every kernel gives what the client works out for it', () => {
    expect([...mismatches].join('\n')).toBe('');
  });
}
