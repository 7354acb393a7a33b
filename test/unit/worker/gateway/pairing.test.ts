import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../../shared/limits.ts';
import { Attempts } from '../../../../worker/gateway/attempts.ts';
import { Pairing } from '../../../../worker/gateway/pairing.ts';

describe('a pairing code', () => {
  test('has eight letters that are not mistaken for each other', () => {
    const { code } = new Pairing(randomBytes).issue(0);
    expect(code).toMatch(/^[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}$/);
  });

  test('works once', () => {
    const pairing = new Pairing(randomBytes);
    const { code } = pairing.issue(0);
    expect(pairing.redeem(code, 1)).toBeDefined();
    expect(pairing.redeem(code, 2)).toBeUndefined();
    expect(pairing.isOpen(2)).toBe(false);
  });

  test('works as people type it', () => {
    const pairing = new Pairing(randomBytes);
    const { code } = pairing.issue(0);
    expect(pairing.redeem(` ${code.toLowerCase().replace('-', ' ')} `, 1)).toBeDefined();
  });

  test('ends after ten minutes', () => {
    const pairing = new Pairing(randomBytes);
    const { code, expiresAt } = pairing.issue(5);
    expect(expiresAt).toBe(5 + 600_000);
    expect(pairing.redeem(code, expiresAt)).toBeUndefined();
    expect(pairing.redeem(code, expiresAt - 1)).toBeDefined();
  });

  test('ends when another one is shown', () => {
    const pairing = new Pairing(randomBytes);
    const first = pairing.issue(0).code;
    const second = pairing.issue(0).code;
    expect(pairing.redeem(first, 1)).toBeUndefined();
    expect(pairing.redeem(second, 1)).toBeDefined();
  });

  test('tells whom it was made for', () => {
    const pairing = new Pairing(randomBytes);
    expect(pairing.redeem(pairing.issue(0, 'Ada').code, 1)).toEqual({ guest: 'Ada' });
    expect(pairing.redeem(pairing.issue(0).code, 1)).toEqual({ guest: undefined });
  });

  test('is not used up by a wrong one', () => {
    const pairing = new Pairing((count) => new Uint8Array(count));
    expect(pairing.issue(0).code).toBe('2222-2222');
    expect(pairing.redeem('', 1)).toBeUndefined();
    expect(pairing.redeem('2222-2223', 1)).toBeUndefined();
    expect(pairing.redeem('2222-2222', 1)).toBeDefined();
  });
});

describe('wrong attempts', () => {
  test('are limited for an address and forgotten after a minute', () => {
    const attempts = new Attempts();
    for (let count = 0; count < limits.attemptsPerAddress; count += 1) {
      expect(attempts.allows('a', count)).toBe(true);
      attempts.wrong('a', count);
    }
    expect(attempts.allows('a', 10)).toBe(false);
    expect(attempts.allows('b', 10)).toBe(true);
    expect(attempts.allows('a', limits.attemptsWindowMs)).toBe(true);
  });

  test('are limited for all addresses together', () => {
    const attempts = new Attempts();
    for (let count = 0; count < limits.attemptsOverall; count += 1)
      attempts.wrong(`address ${count}`, 0);
    expect(attempts.allows('another', 1)).toBe(false);
    expect(attempts.allows('another', limits.attemptsWindowMs)).toBe(true);
  });
});
