import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Command, teletrain } from '../e2e/support/command.ts';
import { ChildOutput } from './support/child-output.ts';
import { WorkerProcess } from './support/worker-process.ts';

/** A step of the small engine takes this long, so that there is time to do something to a run. */
const environment = { SMALL_ENGINE_STEP_MS: '20' };

let home: string;
let worker: WorkerProcess;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-cli-'));
  worker = new WorkerProcess(join(home, 'worker'), { environment });
  const { url, code } = await worker.listening();
  expect((await teletrain(['connect', url, '--code', code, '--name', 'box'], { home })).code).toBe(
    0,
  );
});
afterAll(async () => {
  await worker.kill();
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
});
afterEach(async () => {
  // One run trains at a time: the next test's must find the worker idle.
  await run('stop', 'last');
});

const run = (...args: string[]) => teletrain(args, { home });
const start = (epochs: number, ...more: string[]) => [
  'run',
  'imdb-lstm',
  '--on',
  'box',
  '--set',
  `epochs=${epochs}`,
  ...more,
];
const shown = async () => JSON.parse((await run('show', 'last', '--json')).stdout);

it('a run without a terminal is followed to its end with one line an epoch', async () => {
  const { code, stdout, stderr } = await run(...start(2));
  const lines = stdout.trimEnd().split('\n');
  expect(lines.slice(0, 2)).toEqual([
    expect.stringMatching(/^epoch 1\/2 {2}/),
    expect.stringMatching(/^epoch 2\/2 {2}/),
  ]);
  expect(stdout).toMatch(/^Done at step 20, epoch 2/m);
  const [, checkpoint = ''] = /^checkpoint +(.*)$/m.exec(stdout) ?? [];
  expect(await readdir(checkpoint)).toContain('manifest.json');
  expect(stderr).toBe('connecting to "box"\n');
  expect(code).toBe(0);
});

it('with --json it is its events, one a line, from the first to the last', async () => {
  const { code, stdout } = await run(...start(1, '--json'));
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.at(-1)).toMatchObject({ type: 'state', state: 'done' });
  expect(events.filter(({ type }) => type === 'metric')).toHaveLength(10);
  expect(code).toBe(0);
});

it('it can be started detached, paused, changed, resumed and stopped after an epoch', async () => {
  const started = JSON.parse((await run(...start(500, '--detach', '--json'))).stdout);
  expect(started.run).toMatch(/^imdb-lstm-/);
  expect((await run('pause', 'last')).stdout).toMatch(/is paused at step \d+\.\n$/);
  const { step } = await shown();
  expect(
    (await run('change', 'last', '--epochs', '400', '--patience', '7', '--json')).stdout,
  ).toMatch(/"epochs": 400,\s+"patience": 7/);
  expect((await run('resume', started.run, '--detach')).stdout).toBe(
    `${started.run} goes on on box.\n`,
  );
  expect((await run('stop', started.run, '--epoch')).code).toBe(0);
  const end = await run('attach', started.run);
  expect(end.stdout).toMatch(/^Stopped at step \d+0, /m);
  expect(end.code).toBe(4);
  expect((await shown()).step).toBeGreaterThan(step);
});

it('Ctrl-C lets go of a run, which goes on, and says how to see it again', async () => {
  const command = new Command(start(500), { home });
  await command.printed(/^epoch 1\/500/m);
  command.child.kill('SIGINT');
  const { code, stderr } = await command.ended;
  const [, id = ''] = /^Detached from (\S+), which goes on\.$/m.exec(stderr) ?? [];
  expect(stderr).toContain(`teletrain attach ${id}`);
  expect(code).toBe(130);

  const again = new Command(['attach', id], { home });
  // What it missed comes first.
  await again.printed(/^epoch 1\/500[\s\S]*^epoch 3\/500/m);
  expect((await run('stop', id)).stdout).toMatch(new RegExp(`^${id} is stopped`));
  expect((await again.ended).code).toBe(4);
});

it('a stopped run is resumed from where it was, to the end that it was changed to', async () => {
  const followed = new Command(start(500), { home });
  await followed.printed(/^epoch 2\/500/m);
  await run('stop', 'last');
  expect((await followed.ended).code).toBe(4);
  const stopped = await shown();
  expect((await run('resume', 'last', '--detach')).code).toBe(0);
  await run('pause', 'last');
  const paused = await shown();
  expect(paused.step).toBeGreaterThanOrEqual(stopped.step);
  expect((await run('change', 'last', '--epochs', String(paused.epoch + 2))).code).toBe(0);
  const { stdout, code } = await run('resume', 'last');
  expect(stdout).toContain(`Done at step ${10 * (paused.epoch + 2)}`);
  expect(code).toBe(0);
});

it('the runs, their checkpoints and their data are there without the worker', async () => {
  await run(...start(1));
  const runs = JSON.parse((await run('runs', '--json')).stdout).runs;
  expect(runs[0]).toMatchObject({ state: 'done', step: 10, worker: 'box' });
  expect((await run('runs')).stdout.split('\n')[1]).toMatch(
    new RegExp(`^${runs[0].id} +done +1/1 +10 `),
  );
  const copy = join(home, 'copy');
  expect((await run('checkpoints', 'get', runs[0].id, 'last', '--to', copy)).stdout).toBe(
    `${copy}\n`,
  );
  expect((await run('checkpoints', 'verify', copy)).stdout).toContain('2 files are whole');
  const wrong = await run('checkpoints', 'get', 'last', 'step-000000099', '--json');
  expect(JSON.parse(wrong.stdout).error.code).toBe('unknown-checkpoint');
  const csv = (await run('export', 'last')).stdout.trimEnd().split('\n');
  expect(csv).toHaveLength(11);
  expect(csv[0]).toBe('run,seq,time,step,epoch,split,per,name,value');
  expect(csv[10]).toMatch(new RegExp(`^${runs[0].id},\\d+,[^,]+Z,10,1,train,step,loss,0\\.1$`));
});

it('an ended run is deleted when it is named, and only then', async () => {
  const { run: id } = JSON.parse((await run(...start(500, '--detach', '--json'))).stdout);
  const active = await run('clean', '--run', id, '--json');
  expect(JSON.parse(active.stdout).error.code).toBe('run-active');
  await run('stop', id);
  expect((await run('clean')).code).toBe(0);
  expect((await run('show', id)).code).toBe(0);
  expect((await run('clean', '--run', id)).code).toBe(0);
  expect((await run('show', id)).code).toBe(2);
});

it('a reader that leaves early ends it quietly', async () => {
  const program = resolve(import.meta.dirname, '..', '..', 'dist', 'client', 'cli', 'main.js');
  const line =
    'set -o pipefail; "$0" "$1" run imdb-lstm --on box --set epochs=500 --json | head -n 1; echo "$?"';
  const shell = spawn('bash', ['-c', line, process.execPath, program], {
    env: { ...process.env, TELETRAIN_HOME: home },
  });
  const { stdout, stderr } = await new ChildOutput(shell).ended;
  expect(stdout).toMatch(/^\{.*\}\n0\n$/);
  expect(stderr).toBe('connecting to "box"\n');
});

it('the workers are listed, those that do not answer too; one is forgotten by its name', async () => {
  const own = await mkdtemp(join(home, 'own-'));
  const client = join(own, 'client');
  await using other = new WorkerProcess(join(own, 'worker'), { args: ['--name', 'other'] });
  const { url, code } = await other.listening();
  const ask = (...args: string[]) => teletrain(args, { home: client });
  await ask('connect', url, '--code', code);
  expect((await ask('workers')).stdout).toMatch(/^other +ws:\/\/127\.0\.0\.1:\d+\/ +\d+ ms +idle/m);
  expect((await ask('workers', 'stop', 'other')).stdout).toBe('other is stopped.\n');
  expect(await other.ended).toMatchObject({ code: 0 });
  expect((await ask('workers', 'forget', 'other')).code).toBe(0);
  expect(JSON.parse((await ask('workers', '--json')).stdout)).toEqual({ workers: [] });
});

it('a worker that is lost ends a followed run with exit code 3', async () => {
  const own = await mkdtemp(join(home, 'lost-'));
  await using lost = new WorkerProcess(join(own, 'worker'), { environment });
  const { url, code } = await lost.listening();
  await teletrain(['connect', url, '--code', code, '--name', 'lost'], { home: own });
  const short = ['run', 'imdb-lstm', '--on', 'lost', '--set', 'epochs=1', '--json'];
  const first = (await teletrain(short, { home: own })).stdout;
  const args = ['run', 'imdb-lstm', '--on', 'lost', '--set', 'epochs=500', '--lost-after', '1'];
  const command = new Command(args, { home: own });
  await command.printed(/^epoch 1\/500/m);
  await lost.kill();
  const ended = await command.ended;
  expect(ended.stderr).toMatch(/The worker cannot be reached[\s\S]*teletrain (attach|resume)/);
  expect(ended.code).toBe(3);
  // It will never be heard of again: this machine's copy can go.
  const { runs } = JSON.parse((await teletrain(['runs', '--json'], { home: own })).stdout);
  expect(runs[0]).toMatchObject({ state: 'running', lastHeardAt: expect.stringMatching(/Z$/) });
  const cleaned = await teletrain(['clean', '--run', runs[0].id, '--json'], { home: own });
  expect(JSON.parse(cleaned.stdout).removedRuns).toEqual([runs[0].directory]);

  // A run that had ended is here, whole, and needs no worker.
  const { run: id } = JSON.parse(first.slice(0, first.indexOf('\n')));
  const again = await teletrain(['attach', id, '--json'], { home: own });
  expect(again.stdout).toBe(first);
  expect(again.code).toBe(0);
});
