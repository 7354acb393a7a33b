import { expect, test } from 'vitest';
import { parseWorkerOptions } from '../../../../worker/gateway/options.ts';
import { Output } from '../../../../worker/gateway/output.ts';

test('a worker listens on this machine only unless it is told otherwise', () => {
  expect(parseWorkerOptions([], { TELETRAIN_HOME: '/home-of-it' })).toMatchObject({
    host: '127.0.0.1',
    port: 8787,
    home: '/home-of-it/worker',
    recover: true,
    requireGpu: false,
    idleMinutes: 0,
  });
  expect(parseWorkerOptions(['--help'])).toBe('help');
});

test.each([
  [['--port', 'x']],
  [['--port', '70000']],
  [['--port', '1.5']],
  [['--idle-minutes', '-1']],
  [['--prot', '1']],
  [['extra']],
  [['--tls', 'on']],
  [['--tls-key', 'key.pem']],
  [['--tls', 'self-signed', '--tls-cert', 'chain.pem', '--tls-key', 'key.pem']],
  [['--allow-origin', '*']],
  [['--allow-origin', 'page.example']],
  [['--allow-origin', 'https://page.example/path']],
])('%j is refused with the exit code of usage', (args) => {
  expect(() => parseWorkerOptions(args, {})).toThrow(
    expect.objectContaining({ code: 'bad-option', exitCode: 2 }),
  );
});

test.each([
  [[], 'off'],
  [['--host', '::1'], 'off'],
  [['--host', 'localhost'], 'off'],
  [['--host', '0.0.0.0'], 'self-signed'],
  [['--host', '::'], 'self-signed'],
  [['--host', '10.0.0.5', '--tls', 'off'], 'off'],
  [['--tls', 'self-signed'], 'self-signed'],
  [['--tls-cert', 'chain.pem', '--tls-key', 'key.pem'], 'files'],
])('with %j TLS is %s', (args, kind) => {
  expect(parseWorkerOptions(args, {})).toMatchObject({ tls: { kind } });
});

test('what others wrote cannot steer the terminal', () => {
  let written = '';
  const output = new Output({ write: (text) => (written += text) }, { json: false, status: false });
  output.paired('evil\u001b[2J\u0007 laptop', 'control');
  output.state({
    type: 'state',
    state: 'failed',
    message: 'a\u001b]0;title\u0007b',
    run: 'one',
    seq: 1,
    time: 1,
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must be gone.
  expect(written).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f]/);
  expect(written).toContain('Paired with');
});

test('a status line is drawn over and over where somebody sees it, and is no line of the log', () => {
  let written = '';
  const sink = { write: (text: string) => (written += text) };
  new Output(sink, { json: false, status: false }).status(undefined, 1);
  expect(written).toBe('');
  const live = new Output(sink, { json: false, status: true });
  live.status(undefined, 1);
  live.warning('careful');
  expect(written).toBe('\r\u001b[Kidle · 1 client\r\u001b[KWarning: careful\n');
});
