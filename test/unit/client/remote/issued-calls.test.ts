import { expect, test } from 'vitest';
import { IssuedCalls } from '../../../../client/remote/issued-calls.ts';

function kernel(calls: IssuedCalls, call: number): void {
  calls.add(call, kernel);
}

test('a call is known by the line that asked for it until the worker is done with it', () => {
  const calls = new IssuedCalls();
  kernel(calls, 4);
  kernel(calls, 7);
  expect(calls.size).toBe(2);
  const stack = calls.stackOf(4);
  expect(stack?.split('\n')[0]).toContain('issued-calls.test.ts');
  expect(stack).not.toContain('at kernel');
  calls.forget(6);
  expect(calls.size).toBe(1);
  expect(calls.stackOf(5)).toBeUndefined();
  // It was told of once and may be told of again: what it should have made can be read later.
  expect(calls.stackOf(4)).toBe(stack);
  expect(calls.stackOf(7)).toBeDefined();
});
