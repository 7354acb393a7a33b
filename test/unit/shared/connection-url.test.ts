import { expect, test } from 'vitest';
import { isLoopback, parseConnectionUrl } from '../../../shared/connection-url.ts';

test.each([
  ['ws://127.0.0.1:8787', 'ws://127.0.0.1:8787/'],
  ['  localhost:8787 ', 'ws://localhost:8787/'],
  ['http://127.0.0.1:8787/', 'ws://127.0.0.1:8787/'],
  ['https://quick-tunnel.example', 'wss://quick-tunnel.example/'],
  ['wss://Worker.Example:443/', 'wss://worker.example/'],
  ['[::1]:8787', 'ws://[::1]:8787/'],
])('%s is the worker at %s', (text, url) => {
  expect(parseConnectionUrl(text)).toBe(url);
});

test.each([
  '',
  'ws://',
  'ftp://host',
  'ws://host/path',
  'ws://host/?token=abc',
  'ws://host/#code',
  'ws://me:secret@host',
  'ws://host:99999',
  'a b',
])('"%s" is refused, and no secret is accepted in it', (text) => {
  expect(() => parseConnectionUrl(text)).toThrow(
    expect.objectContaining({ code: 'bad-url', exitCode: 2 }),
  );
});

test('only addresses of this machine stay on it', () => {
  expect(
    ['ws://127.0.0.1:1/', 'ws://127.9.9.9/', 'ws://localhost/', 'ws://[::1]:2/'].every(isLoopback),
  ).toBe(true);
  expect(
    ['ws://0.0.0.0:1/', 'ws://127.0.0.1.example/', 'wss://worker.example/', 'ws://10.0.0.1/'].some(
      isLoopback,
    ),
  ).toBe(false);
});
