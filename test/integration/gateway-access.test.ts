import { randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { encodeFrame } from '../../shared/frames.ts';
import { closeCodes, limits, subprotocol } from '../../shared/limits.ts';
import { WireClient } from './support/wire-client.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

/** The HTTP status with which an upgrade is refused. */
function refusedWith(
  url: string,
  protocols: string[],
  options: object = {},
): Promise<number | undefined> {
  const socket = new WebSocket(url, protocols, options);
  return new Promise((resolve) => {
    socket.once('unexpected-response', (_request, response: IncomingMessage) => {
      response.resume();
      resolve(response.statusCode);
    });
    socket.once('open', () => resolve(101));
    socket.once('error', () => resolve(undefined));
  });
}

describe('a worker that shows a pairing code', () => {
  let home: Awaited<ReturnType<typeof temporaryHome>>;
  let worker: WorkerProcess;
  let url: string;
  let code: string;
  let token: string;

  beforeAll(async () => {
    home = await temporaryHome();
    worker = new WorkerProcess(home.path);
    ({ url, code } = await worker.listening());
    // Typed as people type.
    const client = await WireClient.connect(url, { code: code.toLowerCase().replace('-', ' ') });
    token = client.welcome?.token ?? '';
    await client.close();
  });
  afterAll(async () => {
    await worker.kill();
    await home[Symbol.asyncDispose]();
  });

  test('gives whoever has the code a token of 32 random bytes that opens it from then on', async () => {
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    using client = await WireClient.connect(url, { token });
    expect(client.welcome?.token).toBeUndefined();
    expect((await client.request('worker.info', {})).result).toMatchObject({
      name: expect.any(String),
      pid: worker.child.pid,
    });
  });

  test('takes a code once, and shows a new one when asked by SIGUSR2', async () => {
    await expect(WireClient.connect(url, { code })).rejects.toThrow(/code is wrong/);
    worker.child.kill('SIGUSR2');
    const line = await worker.line('code');
    const client = await WireClient.connect(url, { code: String(line.code) });
    expect(client.welcome?.token).toMatch(/^[\w-]{43}$/);
    await client.close();
  });

  test('keeps no token: not in a file, not in its output', async () => {
    const names = (await readdir(home.path, { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile(),
    );
    const files = await Promise.all(
      names.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')),
    );
    expect(files.length).toBeGreaterThan(0);
    for (const text of [...files, JSON.stringify(worker.lines), ...worker.errors])
      expect(text).not.toContain(token);
    expect((await stat(join(home.path, 'tokens.json'))).mode & 0o077).toBe(0);
    expect((await stat(home.path)).mode & 0o077).toBe(0);
  });

  test('refuses a wrong token, and after five of them any guess for a minute, but never a right token', async () => {
    const wrong = () => WireClient.connect(url, { token: randomBytes(32).toString('base64url') });
    const codes: (string | undefined)[] = [];
    for (let attempt = 0; attempt < limits.attemptsPerAddress + 1; attempt += 1) {
      codes.push(
        await wrong().then(
          () => 'welcomed',
          (error) => error.code,
        ),
      );
    }
    expect(codes.at(0)).toBe('wrong-token');
    expect(codes.at(-1)).toBe('too-many-attempts');
    const late = await WireClient.open(url);
    late.hello({ code: 'AAAA-AAAA' });
    expect(await late.closed).toMatchObject({ code: closeCodes.tooManyAttempts });
    using client = await WireClient.connect(url, { token });
    expect(client.welcome).toBeDefined();
  });

  test('gives no WebSocket to a browser, on another path or without the sub-protocol', async () => {
    expect(await refusedWith(url, [subprotocol], { origin: 'https://page.example' })).toBe(403);
    expect(await refusedWith(`${url}other`, [subprotocol])).toBe(404);
    expect(await refusedWith(`${url}?token=x`, [subprotocol])).toBe(404);
    expect(await refusedWith(url, ['graphql-ws'])).toBe(400);
    expect(await refusedWith(url, [subprotocol])).toBe(101);
  });

  test('tells a plain HTTP request what it is', async () => {
    const status = await new Promise((resolve) => {
      get(url.replace('ws:', 'http:'), (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
    expect(status).toBe(426);
  });

  test('closes a socket that says nothing for five seconds', async () => {
    using client = await WireClient.open(url);
    const start = Date.now();
    expect(await client.closed).toMatchObject({ code: closeCodes.authenticationTimeout });
    expect(Date.now() - start).toBeLessThan(limits.authenticationMs + 1_000);
    expect(client.complaints[0]?.code).toBe('authentication-timeout');
  }, 10_000);

  const bad: [string, (client: WireClient) => void, number, string?][] = [
    [
      'a request before the hello',
      (client) => client.send('request', { id: 'a', method: 'worker.info', params: {} }),
      closeCodes.unauthorised,
      'unauthorised',
    ],
    [
      'a version that nobody speaks',
      (client) => client.hello({ token }, { min: 7, max: 9 }),
      closeCodes.unsupportedVersion,
      'unsupported-version',
    ],
    [
      'random bytes',
      (client) => client.socket.send(randomBytes(100)),
      closeCodes.malformed,
      'malformed-frame',
    ],
    [
      'an empty message',
      (client) => client.socket.send(Buffer.alloc(0)),
      closeCodes.malformed,
      'malformed-frame',
    ],
    ['text', (client) => client.socket.send('hello'), closeCodes.malformed, 'unexpected-message'],
    [
      'a hello of another form',
      (client) => client.send('hello', { protocol: 1 }),
      closeCodes.malformed,
      'malformed-message',
    ],
    [
      'a frame of another format',
      (client) => client.socket.send(Buffer.from(encodeFrame('ping', { time: 1 })).fill(2, 1, 2)),
      closeCodes.malformed,
      'malformed-frame',
    ],
    [
      'a message over the limit',
      (client) => client.socket.send(Buffer.alloc(limits.frameBytes + 1)),
      closeCodes.tooLarge,
    ],
  ];
  test.each(bad)(
    'closes with a reason on %s, and goes on',
    async (_what, send, code, complaint) => {
      using client = await WireClient.open(url);
      send(client);
      expect((await client.closed).code).toBe(code);
      expect(client.complaints[0]?.code).toBe(complaint);
      expect(worker.child.exitCode).toBeNull();
    },
  );

  const wrongRequests: [string, unknown, string][] = [
    ['run.fly', {}, 'unknown-method'],
    ['constructor', {}, 'unknown-method'],
    ['run.pause', {}, 'bad-params'],
    ['run.pause', null, 'bad-params'],
    ['run.pause', { run: '../../etc' }, 'bad-params'],
    ['run.pause', { run: 'nobody' }, 'unknown-run'],
    ['run.follow', { run: 'nobody', fromSeq: 1 }, 'unknown-run'],
    [
      'file.read',
      { run: 'nobody', checkpoint: 'step-000000001', file: '../run.json', offset: 0, length: 10 },
      'bad-params',
    ],
    [
      'file.read',
      { run: 'nobody', checkpoint: '..', file: 'run.json', offset: 0, length: 10 },
      'bad-params',
    ],
  ];
  test.each(wrongRequests)(
    'answers %s %j with %s and keeps the connection',
    async (method, params, code) => {
      using client = await WireClient.connect(url, { token });
      await expect(client.ask(method, params)).rejects.toMatchObject({ code });
      expect(await client.ping()).toBeGreaterThan(0);
    },
  );

  test('closes on a kind that only workers send', async () => {
    using client = await WireClient.connect(url, { token });
    client.send('welcome', {});
    expect((await client.closed).code).toBe(closeCodes.malformed);
  });

  test('answers more requests than may wait with an error, not with silence', async () => {
    using client = await WireClient.connect(url, { token });
    const many = Array.from({ length: limits.requestsInFlight * 4 }, () =>
      client.ask('worker.info', {}).then(
        () => 'answered',
        (error) => error.code,
      ),
    );
    const outcomes = new Set(await Promise.all(many));
    expect(
      [...outcomes].every((outcome) => outcome === 'answered' || outcome === 'too-many-requests'),
    ).toBe(true);
    expect(outcomes).toContain('answered');
  });
});

describe('a worker that lets the pages of an origin connect', () => {
  test('gives a WebSocket to those, to programs, and to no other page', async () => {
    await using home = await temporaryHome();
    const args = [
      '--allow-origin',
      'https://page.example',
      '--allow-origin',
      'http://localhost:3000',
    ];
    await using worker = new WorkerProcess(home.path, { args });
    const { url } = await worker.listening();
    const statusFor = (origin: string) => refusedWith(url, [subprotocol], { origin });
    expect(await statusFor('https://page.example')).toBe(101);
    expect(await statusFor('http://localhost:3000')).toBe(101);
    expect(await statusFor('http://page.example')).toBe(403);
    expect(await statusFor('https://page.example.evil')).toBe(403);
    expect(await statusFor('null')).toBe(403);
    expect(await refusedWith(url, [subprotocol])).toBe(101);
  });
});

describe('a worker that was given a token file', () => {
  test('accepts that token and shows no code', async () => {
    await using home = await temporaryHome();
    const token = randomBytes(32).toString('base64url');
    const file = join(home.path, 'token');
    await writeFile(file, `${token}\n`, { mode: 0o600 });
    await using worker = new WorkerProcess(home.path, { args: ['--token-file', file] });
    const listening = await worker.line('listening');
    expect(listening).not.toHaveProperty('code');
    using client = await WireClient.connect(String(listening.url), { token });
    expect(client.welcome?.worker.name).toBeDefined();
  });

  test('does not start when others can read it, or when it holds no token', async () => {
    await using home = await temporaryHome();
    const file = join(home.path, 'token');
    await writeFile(file, randomBytes(32).toString('base64url'));
    await chmod(file, 0o644);
    const open = new WorkerProcess(home.path, { args: ['--token-file', file] });
    expect((await open.line('error')).error).toMatchObject({ code: 'token-file-open' });
    expect((await open.ended).code).toBe(1);
    await writeFile(file, 'secret');
    await chmod(file, 0o600);
    const bad = new WorkerProcess(home.path, { args: ['--token-file', file] });
    expect((await bad.line('error')).error).toMatchObject({ code: 'bad-token-file' });
    expect((await bad.ended).code).toBe(1);
  });
});

describe('a worker home', () => {
  test('has one worker: a second one says where the first is; a killed one leaves no obstacle', async () => {
    await using home = await temporaryHome();
    const first = new WorkerProcess(home.path);
    const { url } = await first.listening();
    const second = new WorkerProcess(home.path);
    expect(await second.line('error')).toMatchObject({
      error: { code: 'worker-running' },
      worker: { url, pid: first.child.pid },
    });
    expect((await second.ended).code).toBe(1);
    await first.kill();
    await using third = new WorkerProcess(home.path);
    await third.listening();
    expect((await third.stop()).code).toBe(0);
    expect(await readdir(home.path)).not.toContain('worker.lock');
  });
});

describe('a worker that cannot start', () => {
  test('says why an option is wrong and ends with the exit code of usage', async () => {
    await using home = await temporaryHome();
    const worker = new WorkerProcess(home.path, { args: ['--prot', '1'] });
    expect((await worker.line('error')).error).toMatchObject({ code: 'bad-option' });
    expect((await worker.ended).code).toBe(2);
  });

  test('says why its engine cannot work and ends with 1', async () => {
    await using home = await temporaryHome();
    const worker = new WorkerProcess(home.path, { environment: { SMALL_ENGINE_UNUSABLE: '1' } });
    expect((await worker.line('error')).error).toMatchObject({ code: 'no-gpu' });
    expect((await worker.ended).code).toBe(1);
    expect(worker.lines.some((line) => line.event === 'listening')).toBe(false);
  });

  test('says how its engine ended that never became ready', async () => {
    await using home = await temporaryHome();
    const worker = new WorkerProcess(home.path, { environment: { SMALL_ENGINE_STILLBORN: '1' } });
    expect((await worker.line('error')).error).toMatchObject({
      code: 'engine-crashed',
      message: 'The engine ended with code 7 before it was ready: a library is missing',
    });
    expect((await worker.ended).code).toBe(1);
  });

  test('says that its port is taken', async () => {
    await using home = await temporaryHome();
    await using other = await temporaryHome();
    await using first = new WorkerProcess(home.path);
    const { url } = await first.listening();
    const second = new WorkerProcess(other.path, { args: ['--port', new URL(url).port] });
    expect((await second.line('error')).error).toMatchObject({ code: 'cannot-listen' });
    expect((await second.ended).code).toBe(1);
  });
});
