import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { runIdSchema } from '../../shared/events.ts';
import { completeSettings } from '../../shared/recipes.ts';
import type { Manifest } from '../../shared/run.ts';
import { climbs } from '../fuzz/mutation.ts';
import { smallRun, type WireClient } from './support/wire-client.ts';
import { homeWithToken } from './support/worker-process.ts';

const content = Buffer.from('a file of the run');
const secret = 'nobody on the wire may read this';
const checkpoint = 'step-000000001';
/** All that are no run id; those that are lead nowhere. */
const names = [...climbs, '__proto__', 'toString', '..%00', '\u202e', ''].filter(
  (name) => !runIdSchema.safeParse(name).success,
);

const manifestOf = (run: string, name = 'state.json'): Manifest => ({
  ...{ format: 1, run, id: checkpoint, step: 1, epoch: 1, createdAt: 1 },
  files: [
    {
      name,
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    },
  ],
});

const importOf = (run: string, change: object = {}) => ({
  record: {
    ...smallRun(run),
    settings: completeSettings('digits-pixel-rnn', { epochs: 1 }),
  },
  nextSeq: 2,
  lives: [{ id: 'a-life', firstSeq: 1 }],
  checkpoint: manifestOf(run),
  ...change,
});

/** Everything below a folder but the worker's home: names, times, contents. */
async function everythingIn(folder: string): Promise<unknown[]> {
  const paths = (await readdir(folder, { recursive: true })).sort();
  return await Promise.all(
    paths.map(async (path) => {
      const status = await stat(join(folder, path));
      return [
        relative(folder, join(folder, path)),
        status.mtimeMs,
        status.isFile() && (await readFile(join(folder, path), 'utf8')),
      ];
    }),
  );
}

async function codeOf(answer: Promise<unknown>): Promise<string> {
  return await answer.then(
    () => 'answered',
    (error: { code?: string }) => String(error.code),
  );
}

test('no name that a client sends leads out of the run store, in any field that becomes a path', async () => {
  await using home = await homeWithToken();
  const outside = join(home.path, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'state.json'), secret);
  // Older than its last change: whoever reads it now moves the time of its last access.
  await utimes(join(outside, 'state.json'), new Date(1e12), new Date(1.1e12));
  const { atimeMs } = await stat(join(outside, 'state.json'));
  await using worker = home.start();
  using client = await home.connect(worker);
  await client.request('run.import', importOf('run-one'));
  const file = { run: 'run-one', checkpoint, file: 'state.json' };
  const out = ['../outside', '../../outside', join(outside), join(outside, 'state.json')];
  for (const name of [...names, ...out]) {
    const asked: [string, object, Uint8Array?][] = [
      ['run.start', { record: { ...smallRun(name) } }],
      ['run.start', { record: { ...smallRun('right'), recipe: name } }],
      ...['pause', 'resume', 'unfollow'].map((verb): [string, object] => [
        `run.${verb}`,
        { run: name },
      ]),
      ['run.stop', { run: name, when: 'now' }],
      ['run.change', { run: name, epochs: 2 }],
      ['run.follow', { run: name, fromSeq: 1 }],
      ['checkpoint.list', { run: name }],
      ['checkpoint.commit', { run: name, checkpoint }],
      ['checkpoint.commit', { run: 'run-one', checkpoint: name }],
      ...['run', 'checkpoint', 'file'].flatMap((field): [string, object, Uint8Array?][] => [
        ['file.read', { ...file, [field]: name, offset: 0, length: 1000 }],
        ['file.write', { ...file, [field]: name, offset: 0 }, content],
      ]),
      ['run.import', { ...importOf('run-two'), record: smallRun(name) }],
      ['run.import', importOf('run-two', { checkpoint: manifestOf(name) })],
      ['run.import', importOf('run-two', { checkpoint: { ...manifestOf('run-two'), id: name } })],
      ['run.import', importOf('run-two', { best: { ...manifestOf('run-two'), id: name } })],
      ['tensor.open', { session: name, resume: false, got: 0 }],
    ];
    // Names of files that lead nowhere are allowed ones, be they odd.
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name) || name === 'MANIFEST.JSON') {
      asked.push(['run.import', importOf('run-two', { checkpoint: manifestOf('run-two', name) })]);
    }
    for (const [method, params, payload] of asked) {
      const code = await codeOf(client.ask(method, params, payload ? { payload } : {}));
      expect(
        ['bad-params', 'unknown-run', 'unknown-recipe', 'no-such-checkpoint', 'no-such-file'],
        `${method} ${JSON.stringify(params).slice(0, 200)}: ${code}`,
      ).toContain(code);
    }
  }
  for (const method of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
    expect(await codeOf(client.ask(method, {}))).toBe('unknown-method');
  }
  expect((await stat(join(outside, 'state.json'))).atimeMs).toBe(atimeMs);
  expect(await readdir(join(home.path, 'runs'))).toEqual(['run-one']);
  expect(await readFile(join(outside, 'state.json'), 'utf8')).toBe(secret);
  expect((await readdir(home.path)).filter((name) => name.includes('etc'))).toEqual([]);
});

test('no link that lies in the run store beforehand is followed', async () => {
  await using home = await homeWithToken();
  await using target = await homeWithToken();
  const outside = join(target.path, 'outside');
  await mkdir(join(outside, checkpoint), { recursive: true });
  await writeFile(join(outside, checkpoint, 'state.json'), secret);
  await writeFile(join(outside, 'run.json'), JSON.stringify(smallRun('whole')));
  const before = await everythingIn(outside);
  const runs = join(home.path, 'runs');
  await mkdir(runs, { recursive: true });
  await symlink(outside, join(runs, 'whole'));
  await using worker = home.start();
  using client = await home.connect(worker);
  const { runs: listed } = (await client.request('run.list', {})).result;
  expect(listed).toEqual([]);
  // A run whose folder is a link to somewhere else is not made there.
  expect(await codeOf(client.request('run.import', importOf('whole')))).toBe('run-unreadable');

  const link = async (run: string, place: readonly string[], to: string): Promise<void> => {
    await client.request('run.import', importOf(run));
    const path = join(runs, run, ...place);
    await rm(path, { recursive: true, force: true });
    await mkdir(join(path, '..'), { recursive: true });
    await symlink(to, path);
  };
  const all = async (asking: WireClient, run: string): Promise<void> => {
    const file = { run, checkpoint, file: 'state.json' };
    for (const offset of [0, Buffer.byteLength(outside), secret.length]) {
      const payload = content.subarray(0, 3);
      await codeOf(asking.request('file.write', { ...file, offset }, { payload }));
      const read = asking.request('file.read', { ...file, offset: 0, length: 100 });
      const text = await read.then((answer) => Buffer.from(answer.payload).toString(), String);
      expect(text).not.toContain(secret);
    }
    await codeOf(asking.request('checkpoint.commit', { run, checkpoint }));
    const listing = asking.request('checkpoint.list', { run });
    expect(
      await listing.then(
        ({ result }) => result.checkpoints,
        () => [],
      ),
    ).toEqual([]);
  };
  const places: [string, readonly string[], string][] = [
    ['uploads', ['uploads'], outside],
    ['upload', ['uploads', checkpoint], join(outside, checkpoint)],
    ['file', ['uploads', checkpoint, 'state.json'], join(outside, checkpoint, 'state.json')],
    ['new-file', ['uploads', checkpoint, 'state.json'], join(outside, 'not-there-yet')],
    ['checkpoints', ['checkpoints'], outside],
    ['checkpoint', ['checkpoints', checkpoint], join(outside, checkpoint)],
  ];
  for (const [run, place, to] of places) {
    await link(run, place, to);
    await all(client, run);
    expect(await everythingIn(outside), run).toEqual(before);
  }
});
