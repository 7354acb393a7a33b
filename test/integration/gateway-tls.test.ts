import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import { limits } from '../../shared/limits.ts';
import { pinPattern } from '../../shared/pin.ts';
import { makeSelfSigned } from '../../worker/gateway/self-signed.ts';
import { quickTimes } from './session-set-up.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

/** Client homes and workers of one test, gone at its end. */
async function place() {
  const stack = new AsyncDisposableStack();
  const home = stack.use(await temporaryHome());
  const client = createClient({ home: join(home.path, 'client'), times: quickTimes });
  stack.defer(() => client.close());
  const start = (...args: string[]) =>
    stack.use(new WorkerProcess(join(home.path, 'worker'), { args }));
  return { home: home.path, client, start, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe('a worker with a certificate of its own making', () => {
  test('is known by its pin, with which a client pairs and comes back, also after a restart', async () => {
    await using all = await place();
    const worker = all.start('--tls', 'self-signed');
    const { url, code, pin } = await worker.line('listening');
    expect(url).toMatch(/^wss:\/\/127\.0\.0\.1:\d+\/$/);
    expect(pin).toMatch(pinPattern);
    const file = join(all.home, 'worker', 'tls.pem');
    expect((await stat(file)).mode & 0o777).toBe(0o600);

    const { client } = all;
    await client.connectWorker(String(url), { code: String(code), pin: String(pin), name: 'box' });
    expect((await client.workerInfo('box')).pid).toBe(worker.child.pid);
    const { port } = new URL(String(url));
    await worker.kill();
    const again = all.start('--tls', 'self-signed', '--port', port);
    expect((await again.line('listening')).pin).toBe(pin);
    expect((await client.workerInfo('box')).pid).toBe(again.child.pid);
    expect((await client.inviteObserver('box')).pin).toBe(pin);
  });

  test('is not trusted without the pin, nor by another one', async () => {
    await using all = await place();
    const { url, code } = await all.start('--tls', 'self-signed').line('listening');
    const pairing = (pin?: string) =>
      all.client.connectWorker(String(url), { code: String(code), ...(pin ? { pin } : {}) });
    await expect(pairing()).rejects.toMatchObject({
      code: 'certificate-untrusted',
      hint: expect.stringContaining('--pin'),
    });
    const wrong = `sha256:${'A'.repeat(43)}`;
    await expect(pairing(wrong)).rejects.toMatchObject({ code: 'certificate-changed' });
    await expect(pairing('sha256:short')).rejects.toMatchObject({ code: 'bad-pin', exitCode: 2 });
    expect(await all.client.workers()).toEqual([]);
  });

  test.each([
    ['without TLS', 'self-signed', 'wss', 'ws'],
    ['with TLS, where it speaks none,', 'off', 'ws', 'wss'],
  ])('asked %s names the other way', async (_how, tls, right, wrong) => {
    await using all = await place();
    const { url, code } = await all.start('--tls', tls).line('listening');
    const pairing = all.client.connectWorker(String(url).replace(`${right}:`, `${wrong}:`), {
      code: String(code),
    });
    await expect(pairing).rejects.toMatchObject({
      code: 'worker-lost',
      message: expect.stringContaining(`may begin with ${right}:// and not with ${wrong}://`),
    });
  });

  test('waits five seconds for a handshake, and no longer', async () => {
    await using all = await place();
    const { url } = await all.start('--tls', 'self-signed').line('listening');
    const silent = connectTcp(Number(new URL(String(url)).port), '127.0.0.1');
    await once(silent, 'connect');
    const start = Date.now();
    await once(silent, 'close');
    expect(Date.now() - start).toBeLessThan(limits.authenticationMs + 3_000);
  });

  test('is made where other machines can reach the worker, and plain only where that is asked for', async () => {
    await using all = await place();
    const safe = all.start('--host', '0.0.0.0');
    expect(String((await safe.line('listening')).url)).toMatch(/^wss:\/\/(?!0\.0\.0\.0)/);
    expect(safe.lines.some(({ event }) => event === 'warning')).toBe(false);
    await safe.kill();
    const plain = all.start('--host', '0.0.0.0', '--tls', 'off');
    expect(String((await plain.line('listening')).url)).toMatch(/^ws:/);
    expect((await plain.line('warning')).message).toContain('not encrypted');
  });
});

describe('somebody in place of a worker', () => {
  /** A TLS server with a key of its own that writes down what a client says after the handshake. */
  async function impostor() {
    const { key, certificate: cert } = makeSelfSigned('box', ['localhost'], Date.now());
    let heard = '';
    const calls: Promise<unknown>[] = [];
    const server = createServer({ key, cert }, (socket: TLSSocket) => {
      socket.on('data', (data) => {
        heard += data.toString('latin1');
      });
      socket.on('error', () => {});
    });
    server.on('connection', (socket) => calls.push(once(socket, 'close')));
    // A client that hangs up in the middle of the handshake.
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
      // A TLS server's address is one of the network.
      url: `wss://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      /** What every caller said in all, once each has hung up. */
      heard: async () => {
        expect(calls).toHaveLength(1);
        await Promise.all(calls);
        return heard;
      },
      [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
    };
  }

  test('hears not one byte from a client that has another pin, token or no token', async () => {
    await using all = await place();
    await using other = await impostor();
    const worker = all.start('--tls', 'self-signed');
    const { url, code, pin } = await worker.line('listening');
    await all.client.connectWorker(String(url), {
      ...{ code: String(code), pin: String(pin), name: 'box' },
    });
    // The address now leads elsewhere.
    const file = join(all.home, 'client', 'client', 'workers.json');
    const known = await readFile(file, 'utf8');
    await writeFile(file, known.replaceAll(String(url), other.url));
    const again = createClient({ home: join(all.home, 'client'), times: quickTimes });
    await expect(again.workerInfo('box')).rejects.toMatchObject({ code: 'certificate-changed' });
    await again.close();
    expect(await other.heard()).toBe('');
  });

  test('gets no code from a client that trusts certificates', async () => {
    await using all = await place();
    await using other = await impostor();
    await expect(all.client.connectWorker(other.url, { code: 'K7QM-2XPD' })).rejects.toMatchObject({
      code: 'certificate-untrusted',
    });
    expect(await other.heard()).not.toContain('K7QM');
  });

  test('gets no code where the environment tells Node to trust everybody', async () => {
    await using all = await place();
    await using other = await impostor();
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    try {
      const pairing = all.client.connectWorker(other.url, { code: 'K7QM-2XPD' });
      await expect(pairing).rejects.toMatchObject({ code: 'certificate-untrusted' });
    } finally {
      vi.unstubAllEnvs();
    }
    expect(await other.heard()).not.toContain('K7QM');
  });
});

/** The certificate that a client is shown who connects now, as PEM. */
async function shownAt(url: string): Promise<string> {
  const port = Number(new URL(url).port);
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const shown = String(socket.getPeerX509Certificate());
  socket.destroy();
  return shown;
}

describe("a worker with its user's certificate", () => {
  let folder: Awaited<ReturnType<typeof temporaryHome>>;
  let cert: string;
  let key: string;
  beforeAll(async () => {
    folder = await temporaryHome();
    [cert, key] = [join(folder.path, 'chain.pem'), join(folder.path, 'key.pem')];
    const made = makeSelfSigned('user', ['localhost'], Date.now());
    await writeFile(cert, made.certificate);
    await writeFile(key, made.key, { mode: 0o600 });
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test('shows that one, and is trusted by whoever trusts that', async () => {
    await using all = await place();
    const { url, code } = await all.start('--tls-cert', cert, '--tls-key', key).line('listening');
    const { port } = new URL(String(url));
    expect(await shownAt(String(url))).toBe(await readFile(cert, 'utf8'));
    // In a program of its own, since Node reads what it trusts when it starts.
    const program = `
      const { createClient } = await import(${JSON.stringify(new URL('../../client/session/client.ts', import.meta.url).href)});
      const client = createClient({ home: ${JSON.stringify(all.home)} });
      const worker = await client.connectWorker('wss://localhost:${port}', { code: '${code}' });
      console.log(worker.url);
      await client.close();`;
    const args = ['--input-type=module', '-e', program];
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: cert };
    expect(execFileSync(process.execPath, args, { encoding: 'utf8', env })).toBe(
      `wss://localhost:${port}/\n`,
    );
  });

  test('shows a renewed one to who connects then, and one that is broken to nobody', async () => {
    await using all = await place();
    const [chain, chainKey] = [join(all.home, 'chain.pem'), join(all.home, 'key.pem')];
    const put = async (certificate: string, key: string): Promise<void> => {
      await writeFile(chain, certificate);
      await writeFile(chainKey, key);
    };
    const before = makeSelfSigned('user', ['localhost'], Date.now());
    await put(before.certificate, before.key);
    const worker = all.start('--tls-cert', chain, '--tls-key', chainKey);
    const { url, code, pin } = await worker.line('listening');
    const { client } = all;
    await client.connectWorker(String(url), { code: String(code), pin: String(pin), name: 'box' });
    const { uptimeMs } = await client.workerInfo('box');

    const other = makeSelfSigned('user', ['localhost'], Date.now());
    await put('nothing that is a certificate', other.key);
    const warning = await worker.line('warning');
    expect(warning.message).toMatch(/still shown the certificate before.*chain\.pem.*--tls-cert/s);
    expect(await shownAt(String(url))).toBe(before.certificate);

    await put(other.certificate, other.key);
    const renewed = await worker.line('certificate');
    expect(renewed.pin).toMatch(pinPattern);
    expect(renewed.pin).not.toBe(pin);
    expect(new Date(Number(renewed.validTo)).getUTCFullYear()).toBe(9999);
    expect(await shownAt(String(url))).toBe(other.certificate);
    // Who is connected stays so, by the certificate that it was shown.
    expect((await client.workerInfo('box')).uptimeMs).toBeGreaterThan(uptimeMs);
    expect(worker.lines.filter(({ event }) => event === 'warning')).toEqual([warning]);
    expect((await worker.stop()).code).toBe(0);
  }, 60_000);

  test('does not start with what is no certificate, or with the key of another', async () => {
    await using all = await place();
    const other = join(folder.path, 'other.pem');
    await writeFile(other, makeSelfSigned('other', ['localhost'], Date.now()).key);
    const starts: [string[], string, number][] = [
      [['--tls-cert', cert, '--tls-key', other], 'bad-certificate', 1],
      [['--tls-cert', cert, '--tls-key', `${key}-not-there`], 'tls-unreadable', 1],
      [['--tls-cert', cert], 'bad-option', 2],
      [['--tls', 'off', '--tls-cert', cert, '--tls-key', key], 'bad-option', 2],
    ];
    for (const [args, code, exit] of starts) {
      const worker = all.start(...args);
      expect((await worker.line('error')).error).toMatchObject({ code });
      expect((await worker.ended).code).toBe(exit);
    }
  });
});
