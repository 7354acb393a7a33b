import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClient } from '../../../../client/session/client.ts';
import { clientFolders } from '../../../../client/session/folders.ts';
import { PairedWorkers } from '../../../../client/session/workers.ts';

let home: string;
let paired: PairedWorkers;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-workers-'));
  paired = new PairedWorkers(clientFolders({ TELETRAIN_HOME: home }));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const add = (id: string, ownName: string, wishedName?: string) =>
  paired.add({ id, ownName, wishedName, url: `ws://${id}/`, token: `token-${id}`, now: 5 });

test('workers keep their names, and no two have the same', async () => {
  expect((await add('a', 'Colab VM')).name).toBe('Colab-VM');
  expect((await add('b', 'Colab VM')).name).toBe('Colab-VM-2');
  expect((await add('c', 'local')).name).toBe('local-2');
  expect((await add('d', '???')).name).toBe('worker');
  await expect(add('e', 'x', 'Colab-VM')).rejects.toMatchObject({ code: 'name-taken' });
  await expect(add('e', 'x', 'local')).rejects.toMatchObject({ code: 'name-taken', exitCode: 2 });
});

test('a worker that is paired again is the same one, with its new token', async () => {
  await add('a', 'colab');
  await paired.add({
    ...{ id: 'a', ownName: 'other', wishedName: undefined },
    ...{ url: 'wss://new/', token: 'new', now: 9 },
  });
  expect(await paired.all()).toEqual([
    { name: 'colab', url: 'wss://new/', id: 'a', token: 'new', addedAt: 5 },
  ]);
});

test('tokens are readable by their owner only', async () => {
  await add('a', 'colab');
  const { state, workersFile } = clientFolders({ TELETRAIN_HOME: home });
  expect((await stat(state)).mode & 0o777).toBe(0o700);
  expect((await stat(workersFile)).mode & 0o777).toBe(0o600);
  const client = createClient({ home });
  expect(JSON.stringify(await client.workers())).not.toContain('token-a');
  await client.close();
});

test('many pairings at one moment are all remembered', async () => {
  await Promise.all(Array.from({ length: 12 }, (_, at) => add(`w${at}`, 'colab')));
  const names = (await paired.all()).map(({ name }) => name);
  expect(new Set(names).size).toBe(12);
});

test('an installation is the same to every worker, also where two programs begin at once', async () => {
  const other = new PairedWorkers(clientFolders({ TELETRAIN_HOME: home }));
  const [one, two] = await Promise.all([paired.clientId(), other.clientId()]);
  expect(one).toBe(two);
});

test('a list of workers that cannot be read is told and left as it is', async () => {
  await add('a', 'colab');
  const { workersFile } = clientFolders({ TELETRAIN_HOME: home });
  await writeFile(workersFile, '{"format":1,');
  await expect(add('b', 'colab')).rejects.toMatchObject({ code: 'damaged-file', exitCode: 2 });
  expect(await readFile(workersFile, 'utf8')).toBe('{"format":1,');
});

test.each([
  ['http://user:secret@host/', 'bad-url'],
  ['ws://host/?token=secret', 'bad-url'],
  ['ftp://host/', 'bad-url'],
  ['ws://127.0.0.1:9/', 'worker-lost'],
])('connecting to %s is refused as %s', async (url, code) => {
  const client = createClient({ home });
  await expect(client.connectWorker(url, { code: '1234' })).rejects.toMatchObject({ code });
  await client.close();
});

test('what is not known here is a usage error', async () => {
  const client = createClient({ home });
  const recipe = 'imdb-lstm';
  const failures: [() => Promise<unknown>, string][] = [
    [() => client.startRun({ recipe, on: 'nobody' }), 'not-paired'],
    [() => client.startRun({ recipe, on: 'ws://127.0.0.1:9' }), 'not-paired'],
    [() => client.startRun({ recipe, settings: { unitz: 3 } }), 'unknown-setting'],
    [() => client.startRun({ recipe, settings: { units: 'three' } }), 'bad-setting'],
    [() => client.openRun('no-such-run'), 'unknown-run'],
    [() => client.openRun('last', { offline: true }), 'unknown-run'],
    [() => client.checkpoints('no-such-run'), 'unknown-run'],
    [() => client.resumeRun('no-such-run'), 'unknown-run'],
    [() => client.forgetWorker('nobody'), 'not-paired'],
    [() => client.workerInfo('nobody'), 'not-paired'],
  ];
  for (const [failure, code] of failures) {
    await expect(failure(), code).rejects.toMatchObject({ code, exitCode: 2 });
  }
  expect(await client.runs()).toEqual([]);
  await client.close();
});

test('the client and the worker of one home keep apart', () => {
  const given = clientFolders({ TELETRAIN_HOME: '/h' }, 'linux');
  expect(given).toMatchObject({ runs: '/h/client/runs', localWorkerHome: '/h/worker' });
  const xdg = clientFolders({ XDG_STATE_HOME: '/state' }, 'linux');
  expect(xdg).toMatchObject({
    state: '/state/teletrain/client',
    localWorkerHome: '/state/teletrain/worker',
  });
});
