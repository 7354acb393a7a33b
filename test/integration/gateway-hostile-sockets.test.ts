import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { encodeFrame } from '../../shared/frames.ts';
import { limits } from '../../shared/limits.ts';
import { homeWithToken } from './support/worker-process.ts';

const upgrade = (
  change: Readonly<Record<string, string | undefined>> = {},
  line = 'GET / HTTP/1.1',
) =>
  `${line}\r\n${Object.entries({
    Host: 'worker',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': 'teletrain',
    ...change,
  })
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]))
    .join('')}\r\n`;

/** A frame of RFC 6455 as no WebSocket library lets one write it. */
function webSocketFrame(
  first: number,
  payload: Uint8Array,
  { masked = true, length = payload.length }: { masked?: boolean; length?: number } = {},
): Buffer {
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = (masked ? 0x80 : 0) | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  // A mask of zeros leaves the bytes as they are.
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), payload]);
}

interface Talk {
  readonly socket: Socket;
  readonly heard: () => Buffer;
  /** The worker ended it. */
  readonly ended: Promise<void>;
}

function talk(port: number, ...said: readonly (string | Uint8Array)[]): Talk {
  const parts: Buffer[] = [];
  const socket = connect(port, '127.0.0.1');
  socket.on('data', (part) => parts.push(part));
  socket.on('error', () => {});
  for (const one of said) socket.write(one);
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  // Half-open sockets are closed by us when the worker has said all.
  socket.once('end', () => socket.end());
  return { socket, heard: () => Buffer.concat(parts), ended };
}

/** The close code of the first close frame after the upgrade's answer. */
function closeCode(heard: Buffer): number | undefined {
  let at = heard.indexOf('\r\n\r\n') + 4;
  while (at + 2 <= heard.length) {
    const short = (heard[at + 1] ?? 0) & 0x7f;
    const head = short === 126 ? 4 : short === 127 ? 10 : 2;
    const length = short === 126 ? heard.readUInt16BE(at + 2) : short;
    if (((heard[at] ?? 0) & 0x0f) === 8) return heard.readUInt16BE(at + head);
    at += head + length;
  }
  return undefined;
}

const hello = encodeFrame('hello', { protocol: { min: 1, max: 1 } });
const binary = 0x82;

test('whatever is sent to its port, a worker ends it with a reason, within the time and the memory it has for strangers', async () => {
  await using home = await homeWithToken();
  await using worker = home.start();
  const { url } = await worker.listening();
  const port = Number(new URL(url).port);
  const highWater = async (): Promise<number> => {
    const status = await readFile(`/proc/${worker.child.pid}/status`, 'utf8').catch(() => '');
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
  };
  const before = await highWater();
  const started = performance.now();

  // Slow ones first: they say nothing, or never enough, and are waited for at the end.
  const silent = Array.from({ length: 6 }, () => talk(port));
  const trickling = Array.from({ length: 6 }, () => talk(port, 'GET / HTTP/1.1\r\nHost: w\r\nX: '));
  const drip = setInterval(() => {
    for (const { socket } of trickling) if (socket.writable) socket.write('x');
  }, 200);
  const wordless = Array.from({ length: 6 }, () => talk(port, upgrade()));

  const refusedByHttp: [string | Uint8Array, RegExp | undefined][] = [
    [upgrade({ 'Sec-WebSocket-Protocol': 'another' }), /^HTTP\/1.1 400 /],
    [upgrade({ 'Sec-WebSocket-Protocol': undefined }), /^HTTP\/1.1 400 /],
    [upgrade({ 'Sec-WebSocket-Key': 'short' }), /^HTTP\/1.1 400 /],
    [upgrade({ 'Sec-WebSocket-Version': '7' }), /^HTTP\/1.1 4\d\d /],
    [upgrade({ Upgrade: 'h2c' }), /^HTTP\/1.1 4\d\d /],
    [upgrade({ Origin: 'https://example.com' }), /^HTTP\/1.1 403 /],
    [upgrade({}, 'GET /../../etc/passwd HTTP/1.1'), /^HTTP\/1.1 404 /],
    [upgrade({}, 'GET /?token=x HTTP/1.1'), /^HTTP\/1.1 404 /],
    [upgrade({}, 'POST / HTTP/1.1'), /^HTTP\/1.1 40\d /],
    ['GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n', /^HTTP\/1.1 426 /],
    [upgrade({ Cookie: 'x'.repeat(20_000) }), undefined],
    ['GET / HTTP/9.9\r\n\r\n', undefined],
    ['\0\0\0\0\r\n\r\n', undefined],
    [randomBytes(2000), undefined],
    [Buffer.from('160301020001000001fc0303', 'hex'), undefined],
  ];
  for (const [said, answer] of refusedByHttp) {
    const { heard, ended } = talk(port, said);
    await ended;
    const text = heard().toString('latin1');
    expect(text).not.toContain('101 Switching');
    if (answer) expect(text, String(said).slice(0, 80)).toMatch(answer);
  }

  const refusedByFrames: [string, readonly Uint8Array[], number][] = [
    ['no mask', [webSocketFrame(binary, hello, { masked: false })], 1002],
    ['reserved bits', [webSocketFrame(binary | 0x40, hello)], 1002],
    ['an unknown operation', [webSocketFrame(0x83, hello)], 1002],
    ['a continuation of nothing', [webSocketFrame(0x80, hello)], 1002],
    ['a ping that is too long', [webSocketFrame(0x89, Buffer.alloc(200))], 1002],
    ['text that is no UTF-8', [webSocketFrame(0x81, Buffer.from('fffe', 'hex'))], 1007],
    ['text', [webSocketFrame(0x81, Buffer.from('hello'))], 4400],
    ['a message of a terabyte', [webSocketFrame(binary, hello, { length: 2 ** 40 })], 1009],
    [
      'a byte over the limit',
      [webSocketFrame(binary, hello, { length: limits.frameBytes + 1 })],
      1009,
    ],
    ['no frame of ours', [webSocketFrame(binary, randomBytes(100))], 4400],
    ['a hello without a token', [webSocketFrame(binary, hello)], 4400],
    ['a request first', [webSocketFrame(binary, encodeFrame('ping', { time: 1 }))], 4401],
    [
      'a thousand fragments',
      Array.from({ length: 1000 }, (_, place) => webSocketFrame(place ? 0 : 2, Buffer.alloc(1))),
      1008,
    ],
  ];
  for (const [what, frames, code] of refusedByFrames) {
    const { heard, ended, socket } = talk(port, upgrade(), ...frames);
    await expect.poll(() => closeCode(heard()), { message: what, timeout: 10_000 }).toBe(code);
    socket.destroy();
    await ended;
  }

  // As many as there is room for, each with a message as large as may be, that says nothing.
  const large = webSocketFrame(binary, Buffer.alloc(limits.frameBytes, 0x80));
  const flood = Array.from({ length: 20 }, () => talk(port, upgrade(), large));
  await Promise.all(flood.map(({ ended }) => ended));

  await Promise.all([...silent, ...trickling, ...wordless].map(({ ended }) => ended));
  clearInterval(drip);
  expect(performance.now() - started).toBeLessThan(30_000);
  for (const { heard } of wordless) expect(closeCode(heard())).toBe(4408);

  using client = await home.connect(worker);
  expect((await client.request('run.list', {})).result).toEqual({ runs: [] });
  expect(worker.errors).toEqual([]);
  // 20 messages of 4 MiB at once, and what Node has not collected of them.
  if (before > 0) expect((await highWater()) - before).toBeLessThan(400 * 2 ** 20);
});
