import { createHash } from 'node:crypto';
import { readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { Manifest } from '../../shared/run.ts';
import { smallRun, type WireClient } from './support/wire-client.ts';
import { homeWithToken } from './support/worker-process.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function trained(client: WireClient, run: string, epochs: number): Promise<Manifest> {
  await client.request('run.start', { record: smallRun(run, epochs) });
  await client.request('run.follow', { run, fromSeq: 1 });
  await client.untilState('done');
  const { checkpoints } = (await client.request('checkpoint.list', { run })).result;
  const last = checkpoints.at(-1);
  if (!last) throw new Error('no checkpoint');
  return last;
}

async function download(
  client: WireClient,
  run: string,
  checkpoint: string,
  file: string,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let offset = 0; ; ) {
    const { result, payload } = await client.request('file.read', {
      run,
      checkpoint,
      file,
      offset,
      length: limits.chunkBytes,
    });
    parts.push(payload);
    offset += payload.length;
    if (offset >= result.size) return Buffer.concat(parts);
  }
}

test('a checkpoint is read by chunks, from any byte, and is what its manifest says', async () => {
  await using home = await homeWithToken();
  await using worker = home.start({ environment: { SMALL_ENGINE_FILE_BYTES: '1000000' } });
  using client = await home.connect(worker);
  const manifest = await trained(client, 'one', 1);
  for (const { name, bytes, sha256: hash } of manifest.files) {
    const whole = await download(client, 'one', manifest.id, name);
    expect(whole).toHaveLength(bytes);
    expect(sha256(whole)).toBe(hash);
  }
  const text = await download(client, 'one', manifest.id, 'manifest.json');
  expect(JSON.parse(Buffer.from(text).toString())).toEqual(manifest);
  const event = client.events.find((each) => each.type === 'checkpoint');
  expect(event).toMatchObject({ manifestSha256: sha256(text) });
  const past = {
    run: 'one',
    checkpoint: manifest.id,
    file: 'state.json',
    offset: 10_000,
    length: 10,
  };
  expect((await client.request('file.read', past)).payload).toHaveLength(0);
});

test('nothing outside of a checkpoint can be read, by no name and by no link', async () => {
  await using home = await homeWithToken();
  await using worker = home.start();
  using client = await home.connect(worker);
  const { id } = await trained(client, 'one', 1);
  const folder = join(home.path, 'runs', 'one', 'checkpoints');
  await writeFile(join(home.path, 'secret'), 'secret');
  await symlink(join(home.path, 'secret'), join(folder, id, 'link.json'));
  await symlink(home.path, join(folder, 'step-000009999'));
  const read = (checkpoint: string, file: string) =>
    client.ask('file.read', { run: 'one', checkpoint, file, offset: 0, length: 100 });
  await expect(read(id, '../../run.json')).rejects.toMatchObject({ code: 'bad-params' });
  await expect(read(id, '..')).rejects.toMatchObject({ code: 'bad-params' });
  await expect(read(id, '/etc/passwd')).rejects.toMatchObject({ code: 'bad-params' });
  await expect(read('../..', 'secret')).rejects.toMatchObject({ code: 'bad-params' });
  await expect(read(id, 'link.json')).rejects.toMatchObject({ code: 'no-such-file' });
  await expect(read('step-000009999', 'secret')).rejects.toMatchObject({
    code: 'no-such-checkpoint',
  });
  await expect(read(id, 'none.json')).rejects.toMatchObject({ code: 'no-such-file' });
  await expect(read('step-000000777', 'state.json')).rejects.toMatchObject({
    code: 'no-such-checkpoint',
  });
});

test('pings stay quick while a large file is read', async () => {
  await using home = await homeWithToken();
  await using worker = home.start({ environment: { SMALL_ENGINE_FILE_BYTES: '20000000' } });
  using client = await home.connect(worker);
  using other = await home.connect(worker);
  const { id } = await trained(client, 'one', 1);
  // All chunks at once, as many as may be asked for.
  const chunks = Array.from({ length: limits.requestsInFlight }, (_, index) =>
    client.request('file.read', {
      run: 'one',
      checkpoint: id,
      file: 'model.safetensors',
      offset: index * limits.chunkBytes,
      length: limits.chunkBytes,
    }),
  );
  const times = [await client.ping(), await other.ping(), await client.ping()];
  expect(Math.max(...times)).toBeLessThan(250);
  const total = (await Promise.all(chunks)).reduce((sum, { payload }) => sum + payload.length, 0);
  expect(total).toBe(limits.requestsInFlight * limits.chunkBytes);
});

test('a run goes on at another worker: its checkpoint is sent, broken off, continued at the byte and verified', async () => {
  await using from = await homeWithToken();
  await using to = await homeWithToken();
  await using first = from.start({ environment: { SMALL_ENGINE_FILE_BYTES: '700000' } });
  using source = await from.connect(first);
  const checkpoint = await trained(source, 'one', 2);
  const { runs } = (await source.request('run.list', {})).result;
  const record = runs[0]?.record;
  if (!record) throw new Error('no run');
  const files = new Map<string, Uint8Array>();
  for (const { name } of checkpoint.files)
    files.set(name, await download(source, 'one', checkpoint.id, name));
  const weights = files.get('model.safetensors') ?? new Uint8Array();
  const state = files.get('state.json') ?? new Uint8Array();
  const place = { run: 'one', checkpoint: checkpoint.id };

  const second = to.start();
  const broken = await to.connect(second);
  const lives = [{ id: 'first', firstSeq: 1 }];
  const upload = { record, nextSeq: 101, lives, checkpoint, changed: { epochs: 4 } };
  await expect(
    broken.request('file.write', { ...place, file: 'state.json', offset: 0 }, { payload: state }),
  ).rejects.toMatchObject({ code: 'unknown-run' });
  await broken.request('run.import', upload);
  const part = weights.subarray(0, limits.chunkBytes);
  expect(
    (
      await broken.request(
        'file.write',
        { ...place, file: 'model.safetensors', offset: 0 },
        { payload: part },
      )
    ).result,
  ).toEqual({ received: part.length });
  await expect(broken.request('checkpoint.commit', place)).rejects.toMatchObject({
    code: 'checkpoint-incomplete',
  });
  // It would start over.
  await expect(broken.request('run.resume', { run: 'one' })).rejects.toMatchObject({
    code: 'no-checkpoint',
  });
  await second.kill();

  await using third = to.start();
  using target = await to.connect(third);
  await target.request('run.import', upload);
  const write = (file: string, offset: number, payload?: Uint8Array) =>
    target.request('file.write', { ...place, file, offset }, payload ? { payload } : {});
  const { received } = (await write('model.safetensors', 0)).result;
  expect(received).toBe(part.length);
  await expect(write('model.safetensors', 0, part)).rejects.toMatchObject({ code: 'wrong-offset' });
  for (let offset = received; offset < weights.length; ) {
    const chunk = weights.subarray(offset, offset + limits.chunkBytes);
    offset = (await write('model.safetensors', offset, chunk)).result.received;
  }
  await expect(write('model.safetensors', weights.length, state)).rejects.toMatchObject({
    code: 'upload-too-long',
  });
  await expect(write('other.bin', 0, state)).rejects.toMatchObject({ code: 'no-such-file' });
  const wrong = new Uint8Array(state).reverse();
  await write('state.json', 0, wrong);
  await expect(target.request('checkpoint.commit', place)).rejects.toMatchObject({
    code: 'checkpoint-corrupt',
  });
  expect((await target.request('checkpoint.list', { run: 'one' })).result.checkpoints).toEqual([]);
  await write('state.json', 0, state);
  await target.request('checkpoint.commit', place);
  await target.request('checkpoint.commit', place);
  expect((await target.request('checkpoint.list', { run: 'one' })).result.checkpoints).toEqual([
    checkpoint,
  ]);

  await expect(target.request('run.follow', { run: 'one', fromSeq: 51 })).rejects.toMatchObject({
    code: 'events-missing',
  });
  const { summary } = (await target.request('run.follow', { run: 'one', fromSeq: 101 })).result;
  expect(summary).toMatchObject({ state: 'interrupted', step: 20, lastSeq: 100, firstSeq: 101 });
  expect(summary.lives).toEqual(lives);
  await target.request('run.resume', { run: 'one' });
  await target.untilState('done');
  // What the other worker did after that checkpoint is void.
  expect(target.events[0]).toMatchObject({ seq: 101, type: 'rewind', toStep: 20 });
  expect(target.events[1]).toMatchObject({ type: 'state', state: 'starting', reason: 'resumed' });
  const steps = target.events.flatMap((event) => (event.type === 'metric' ? [event.step] : []));
  expect(steps).toEqual(Array.from({ length: 20 }, (_, index) => index + 21));
  // What the worker has is moved aside for who knows exactly what that is, and for nobody else.
  const [known] = (await target.request('run.list', {})).result.runs;
  if (!known) throw new Error('no run');
  expect(known.lives).toEqual([...lives, { id: expect.any(String), firstSeq: 101 }]);
  const { lastSeq } = known;
  for (const replaces of [
    undefined,
    { life: 'first', lastSeq },
    { life: known.lives[1]?.id, lastSeq: 100 },
  ]) {
    await expect(
      target.request('run.import', { ...upload, ...(replaces ? { replaces } : {}) }),
    ).rejects.toMatchObject({ code: 'run-diverged' });
  }
  const replaces = { life: known.lives[1]?.id, lastSeq };
  const ahead = { ...upload, nextSeq: 5_000, replaces };
  await target.request('run.import', ahead);
  expect((await target.request('run.list', {})).result.runs).toMatchObject([
    { state: 'interrupted', lastSeq: 4_999 },
  ]);
});

test('a record whose settings are wrong is refused before anything is written', async () => {
  await using home = await homeWithToken();
  await using worker = home.start();
  using client = await home.connect(worker);
  const start = (settings: Record<string, unknown>, recipe = 'digits-pixel-rnn') =>
    client.ask('run.start', { record: { ...smallRun('one'), recipe, settings } });
  await expect(start({ epochs: -1 })).rejects.toMatchObject({ code: 'bad-setting' });
  await expect(start({ wings: 2 })).rejects.toMatchObject({ code: 'unknown-setting' });
  await expect(start({}, 'no-such-recipe')).rejects.toMatchObject({
    code: 'unknown-recipe',
  });
  expect((await client.request('run.list', {})).result.runs).toEqual([]);
});

test('a checkpoint for which the disk has no room is refused before anything of it is written', async () => {
  await using home = await homeWithToken();
  await using worker = home.start();
  using client = await home.connect(worker);
  const record = smallRun('one');
  const file = { name: 'model.safetensors', bytes: 2 ** 52, sha256: 'a'.repeat(64) };
  const place = { run: 'one', id: 'step-000000010', step: 10, epoch: 1, createdAt: 1 };
  const checkpoint = { format: 1 as const, ...place, files: [file] };
  const lives = [{ id: 'first', firstSeq: 1 }];
  await expect(
    client.ask('run.import', { record, nextSeq: 101, lives, checkpoint }),
  ).rejects.toMatchObject({ code: 'disk-full' });
  expect((await client.request('run.list', {})).result.runs).toEqual([]);
});

test.runIf(process.platform === 'linux')(
  'a worker holds no file of a run open that has ended, was changed and was read',
  async () => {
    await using home = await homeWithToken();
    await using worker = home.start();
    using client = await home.connect(worker);
    const { id, files } = await trained(client, 'one', 2);
    for (const { name } of files) await download(client, 'one', id, name);
    await client.request('run.change', { run: 'one', epochs: 9 });
    const open = async (): Promise<string[]> => {
      const folder = `/proc/${worker.child.pid}/fd`;
      const links = (await readdir(folder)).map((number) =>
        readlink(join(folder, number)).catch(() => ''),
      );
      return (await Promise.all(links)).filter((path) => path.startsWith(join(home.path, 'runs')));
    };
    await expect.poll(open).toEqual([]);
  },
);
