import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { obtainFile } from '../../../../../worker/engine/datasets/obtain-file.ts';
import type { PublishedFile } from '../../../../../worker/engine/datasets/published-files.ts';
import { serve } from './http-files.ts';

const content = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 251);

function published(...urls: readonly string[]): PublishedFile {
  return {
    names: ['small.bin', 'small.bin.gz'],
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    urls,
  };
}

const damaged = Uint8Array.from(content);
damaged[50_000] = 255;

describe('obtaining a published file', () => {
  let folder: string;
  let dataDir: string;
  let cacheDir: string;
  const inCache = () => join(cacheDir, 'datasets', 'small.bin');

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'teletrain-datasets-'));
    dataDir = join(folder, 'data');
    cacheDir = join(folder, 'cache');
    await mkdir(dataDir);
    await mkdir(join(cacheDir, 'datasets'), { recursive: true });
    vi.stubEnv('TELETRAIN_DATA', '');
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });

  it('takes the data folder first, then the cache, then the network', async () => {
    await using server = await serve((_request, response) => response.end(content));
    const file = published(server.url);
    await writeFile(join(dataDir, 'small.bin'), content);
    expect((await obtainFile(file, { dataDir, cacheDir })).content).toEqual(content);
    expect(existsSync(inCache())).toBe(false);

    await rm(join(dataDir, 'small.bin'));
    expect((await obtainFile(file, { dataDir, cacheDir })).content).toEqual(content);
    expect(server.requests()).toBe(1);
    expect(new Uint8Array(await readFile(inCache()))).toEqual(content);

    expect(await obtainFile(file, { dataDir, cacheDir })).toMatchObject({
      name: 'small.bin',
      sha256: file.sha256,
    });
    expect(server.requests()).toBe(1);
  });

  it('finds the data folder in TELETRAIN_DATA', async () => {
    vi.stubEnv('TELETRAIN_DATA', dataDir);
    await writeFile(join(dataDir, 'small.bin'), content);
    expect((await obtainFile(published(), { cacheDir })).content).toEqual(content);
  });

  it('reads a copy that someone packed with gzip, by the hash of its content', async () => {
    await writeFile(join(dataDir, 'small.bin.gz'), gzipSync(content));
    const found = await obtainFile(published(), { dataDir, cacheDir });
    expect(found).toMatchObject({ name: 'small.bin', sha256: published().sha256 });
    expect(found.content).toEqual(content);
  });

  it('refuses a damaged file in the data folder, whatever else there is', async () => {
    await using server = await serve((_request, response) => response.end(content));
    await writeFile(inCache(), content);
    const attempts: [name: string, bytes: Uint8Array, message: RegExp][] = [
      ['small.bin', damaged, /not the published file: its SHA-256 is [0-9a-f]{64}/],
      ['small.bin', content.subarray(0, 99_999), /truncated: 99999 of 100000 bytes/],
      ['small.bin', new Uint8Array(), /truncated: 0 of 100000 bytes/],
      ['small.bin', Buffer.concat([content, content]), /longer than the 100000 bytes/],
      ['small.bin.gz', gzipSync(damaged), /not the published file/],
      ['small.bin.gz', gzipSync(content).subarray(0, 300), /no whole gzip file/],
      ['small.bin.gz', content, /no whole gzip file/],
    ];
    for (const [name, bytes, message] of attempts) {
      await writeFile(join(dataDir, name), bytes);
      await expect(obtainFile(published(server.url), { dataDir, cacheDir })).rejects.toMatchObject({
        code: 'dataset-corrupt',
        message: expect.stringMatching(message),
        hint: expect.stringContaining('--data-dir'),
      });
      await rm(join(dataDir, name));
    }
    expect(server.requests()).toBe(0);
  });

  it('replaces a damaged file in the cache', async () => {
    await using server = await serve((_request, response) => response.end(content));
    for (const bytes of [damaged, content.subarray(0, 12), Buffer.concat([content, content])]) {
      await writeFile(inCache(), bytes);
      const found = await obtainFile(published(server.url), { cacheDir });
      expect(found.content).toEqual(content);
      expect(new Uint8Array(await readFile(inCache()))).toEqual(content);
    }
    expect(server.requests()).toBe(3);
  });

  it('removes a damaged file from the cache also when no other can be had', async () => {
    await writeFile(inCache(), damaged);
    await expect(obtainFile(published(), { cacheDir })).rejects.toMatchObject({
      code: 'dataset-unavailable',
    });
    expect(await readdir(join(cacheDir, 'datasets'))).toEqual([]);
  });

  it('says which option to give when there is no way to the file', async () => {
    const nowhere = await serve(() => {});
    await nowhere[Symbol.asyncDispose]();
    await expect(obtainFile(published(nowhere.url), { dataDir, cacheDir })).rejects.toMatchObject({
      code: 'dataset-unavailable',
      exitCode: 1,
      message: expect.stringMatching(
        /^small\.bin is neither in .*data nor in the cache, .*ECONNREFUSED/,
      ),
      hint: 'Give the folder that holds small.bin or small.bin.gz by --data-dir or TELETRAIN_DATA.',
    });
    await expect(
      obtainFile({ ...published(), instead: 'or do without it' }, { cacheDir }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/^No data folder was given, small\.bin is not in the cache/),
      hint: expect.stringMatching(/TELETRAIN_DATA, or do without it\.$/),
    });
  });

  it('says so when the cache cannot be written', async () => {
    await using server = await serve((_request, response) => response.end(content));
    const dangling = join(folder, 'dangling');
    await symlink(join(folder, 'nowhere', 'at', 'all'), dangling);
    await expect(obtainFile(published(server.url), { cacheDir: dangling })).rejects.toMatchObject({
      code: 'dataset-unavailable',
      message: expect.stringMatching(/dangling.datasets cannot be written/),
    });
    expect(server.requests()).toBe(0);
  });

  it('says so when the data folder does not exist', async () => {
    const missing = join(folder, 'missing');
    await expect(obtainFile(published(), { dataDir: missing, cacheDir })).rejects.toMatchObject({
      code: 'data-folder-missing',
      exitCode: 2,
    });
  });

  it('says so when the file cannot be read', async () => {
    await mkdir(join(dataDir, 'small.bin'));
    await expect(obtainFile(published(), { dataDir, cacheDir })).rejects.toMatchObject({
      code: 'dataset-unreadable',
      message: expect.stringContaining('EISDIR'),
    });
  });

  it('never leaves a bad download behind, and goes on to the next address', async () => {
    const answers: [string, Parameters<typeof serve>[0]][] = [
      ['HTTP status 404', (_, response) => response.writeHead(404).end('no')],
      ['something else', (_, response) => response.end(damaged)],
      ['it sent 12 of 100000 bytes', (_, response) => response.end(content.subarray(0, 12))],
      ['it sent more than', (_, response) => response.end(Buffer.concat([content, content]))],
      [
        'UND_ERR_SOCKET',
        (_, response) => {
          response.writeHead(200, { 'content-length': content.length });
          response.write(content.subarray(0, 10), () => response.destroy());
        },
      ],
    ];
    await using good = await serve((_request, response) => response.end(content));
    for (const [reason, answer] of answers) {
      await using bad = await serve(answer);
      await expect(obtainFile(published(bad.url), { cacheDir })).rejects.toMatchObject({
        code: 'dataset-unavailable',
        message: expect.stringContaining(reason),
      });
      expect(await readdir(join(cacheDir, 'datasets'))).toEqual([]);
      const found = await obtainFile(published(bad.url, good.url), { cacheDir });
      expect(found.content).toEqual(content);
      await rm(inCache());
    }
  });

  it('shows progress up to the published size', async () => {
    await using server = await serve((_request, response) => response.end(content));
    const seen = new Map<string, number>();
    await obtainFile(published(server.url), {
      cacheDir,
      onProgress: ({ what, done, total }) => {
        expect(done).toBeGreaterThan(seen.get(what) ?? 0);
        expect(total).toBe(content.length);
        seen.set(what, done);
      },
    });
    expect([...seen]).toEqual([
      ['Downloading small.bin', content.length],
      ['Checking small.bin', content.length],
    ]);
  });

  it('stops at once when aborted, with the reason given, and leaves nothing', async () => {
    const reason = new Error('the run was stopped');
    const controller = new AbortController();
    await using server = await serve((_request, response) => {
      response.write(content.subarray(0, 10));
    });
    const obtained = obtainFile(published(server.url, server.url), {
      cacheDir,
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(obtained).rejects.toBe(reason);
    expect(server.requests()).toBe(1);
    expect(await readdir(join(cacheDir, 'datasets'))).toEqual([]);

    await writeFile(inCache(), content);
    await expect(
      obtainFile(published(), { cacheDir, signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
    expect(existsSync(inCache())).toBe(true);
  });

  it('removes what a killed download left long ago, not what another one writes now', async () => {
    const old = `${inCache()}.0123456789ab.partial`;
    const fresh = `${inCache()}.ba9876543210.partial`;
    await writeFile(old, 'x');
    await writeFile(fresh, 'x');
    const yesterday = Date.now() / 1000 - 86_400;
    await utimes(old, yesterday, yesterday);
    await using server = await serve((_request, response) => response.end(content));
    await obtainFile(published(server.url), { cacheDir });
    expect(existsSync(old)).toBe(false);
    expect(existsSync(fresh)).toBe(true);
  });

  it('lets two processes fetch the same file at the same time', async () => {
    await using server = await serve((_request, response) => response.end(content));
    const both = await Promise.all([
      obtainFile(published(server.url), { cacheDir }),
      obtainFile(published(server.url), { cacheDir }),
    ]);
    expect(both.map((found) => found.sha256)).toEqual([published().sha256, published().sha256]);
    expect(await readdir(join(cacheDir, 'datasets'))).toEqual(['small.bin']);
  });
});
