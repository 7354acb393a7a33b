import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Command, teletrain } from '../e2e/support/command.ts';
import { WorkerProcess } from './support/worker-process.ts';

/** Two machines, as far as a worker can tell: each has an installation of its own. */
let folder: string;
let worker: WorkerProcess;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-access-'));
  const environment = { SMALL_ENGINE_STEP_MS: '20' };
  worker = new WorkerProcess(join(folder, 'worker'), { environment });
  const { url, code } = await worker.listening();
  expect((await at('laptop', 'connect', url, '--code', code, '--name', 'box')).code).toBe(0);
});
afterAll(async () => {
  await worker.kill();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

const at = (machine: string, ...args: string[]) => teletrain(args, { home: join(folder, machine) });

it('share prints the command by which another machine observes, and can change nothing', async () => {
  const shared = await at('laptop', 'share');
  expect(shared.stdout).toMatch(/^teletrain connect ws:\/\/\S+ --code [0-9A-Z]{4}-[0-9A-Z]{4}\n$/);
  expect(shared.stderr).toMatch(/works once, on another machine, until \d\d:\d\d/);
  const connected = await at('tablet', ...shared.stdout.trim().split(' ').slice(1));
  const [, name = ''] = /^Connected to (\S+) at/.exec(connected.stdout) ?? [];
  expect(connected.stderr).toContain('You may look there and change nothing');
  expect(connected.code).toBe(0);
  const nothing = await at('tablet', 'attach');
  expect(nothing.stderr).toContain('which teletrain workers shows');
  expect(nothing.code).toBe(2);

  const start = ['run', 'imdb-lstm', '--on', 'box', '--set', 'epochs=500', '--detach', '--json'];
  const { run } = JSON.parse((await at('laptop', ...start)).stdout);
  expect((await at('tablet', 'workers')).stdout).toContain(run);
  const stopped = await at('tablet', 'stop', run, '--json');
  expect(JSON.parse(stopped.stdout).error).toMatchObject({ code: 'read-only' });
  expect(stopped.code).toBe(1);
  const refused = await at('tablet', 'run', 'imdb-lstm', '--on', name, '--set', 'epochs=1');
  expect(refused.stderr).toContain('read-only');
  // What was refused leaves no run behind.
  const { runs } = JSON.parse((await at('tablet', 'runs', '--json')).stdout);
  expect(runs.map(({ id }: { id: string }) => id)).toEqual([run]);

  expect((await at('laptop', 'stop', run)).code).toBe(0);
  const seen = await at('tablet', 'attach', run);
  expect(seen.stdout).toMatch(/^Stopped at step \d+/m);
  expect(seen.code).toBe(4);
});

it('share lists who observes and revokes one of them, who is told and shown out', async () => {
  const invite = async (machine: string, ...more: string[]) => {
    const shared = await at('laptop', 'share', 'box', ...more);
    return await at(machine, ...shared.stdout.trim().split(' ').slice(1), '--name', 'shared');
  };
  expect((await invite('phone', '--for', 'Ada')).code).toBe(0);
  expect((await invite('watch', '--for', 'Ada')).code).toBe(0);
  const start = ['run', 'imdb-lstm', '--on', 'box', '--set', 'epochs=500', '--detach', '--json'];
  const { run } = JSON.parse((await at('laptop', ...start)).stdout);
  const watching = new Command(['attach', run], { home: join(folder, 'phone') });
  await watching.printed(/^epoch 1\/500/m);

  const { observers } = JSON.parse((await at('laptop', 'share', 'box', '--list', '--json')).stdout);
  const [phone, watch] = observers.filter(({ name }: { name: string }) => name === 'Ada');
  expect([phone.connections, watch.connections]).toEqual([1, 0]);
  const table = (await at('laptop', 'share', 'box', '--list')).stdout;
  expect(table).toMatch(new RegExp(`^Ada +${hostname()} +just now +connected +${phone.id}$`, 'm'));
  expect(table).toMatch(new RegExp(`^Ada +${hostname()} +just now +${watch.id}$`, 'm'));

  const both = await at('laptop', 'share', 'box', '--revoke', 'Ada');
  expect(both.stderr).toContain(`${phone.id}, ${watch.id}`);
  expect(both.code).toBe(2);
  const revoked = await at('laptop', 'share', 'box', '--revoke', phone.id);
  expect(revoked.stdout).toBe('"Ada" observes box no more.\n');
  expect((await watching.ended).code).toBe(1);
  expect(watching.stderr).toContain('access of this machine to the worker was revoked');
  const [, row = '', why = ''] = (await at('phone', 'workers')).stdout.split('\n');
  expect(row).toContain('refused');
  expect(why).toContain('access of this machine to the worker was revoked');
  expect((await at('watch', 'workers')).stdout).toContain('read-only');
  expect((await at('laptop', 'share', 'box', '--revoke', 'Ada')).code).toBe(0);
  const nobody = await at('laptop', 'share', 'box', '--revoke', 'Ada', '--json');
  expect(JSON.parse(nobody.stdout).error).toMatchObject({ code: 'unknown-observer' });
  expect((await at('laptop', 'share', '--list', '--for', 'Ada')).code).toBe(2);
  expect((await at('laptop', 'stop', run)).code).toBe(0);
});

it('one machine has control at a time, and another takes it by saying so', async () => {
  const { url } = await worker.listening();
  worker.child.kill('SIGUSR2');
  const { code } = await worker.line('code');
  await at('desktop', 'connect', url, '--code', String(code), '--name', 'far');
  const start = ['run', 'imdb-lstm', '--on', 'box', '--set', 'epochs=500'];
  const followed = new Command(start, { home: join(folder, 'laptop') });
  await followed.printed(/^epoch 1\/500/m);

  const { runs } = JSON.parse((await at('laptop', 'runs', '--json')).stdout);
  const refused = await at('desktop', 'stop', runs[0].id);
  expect(refused.stderr).toBe(
    `"${hostname()}" has control of this worker.\nAsk there, or take control over with: teletrain take.\n`,
  );
  expect(refused.code).toBe(1);
  const [, row = ''] = (await at('desktop', 'workers')).stdout.split('\n');
  expect(row).toContain(` ${hostname()} `);

  expect((await at('desktop', 'take')).stdout).toBe(
    `This machine has control of far now; "${hostname()}" had it.\n`,
  );
  expect((await at('desktop', 'stop', runs[0].id)).code).toBe(0);
  expect((await followed.ended).code).toBe(4);
  const { control } = JSON.parse((await at('laptop', 'workers', '--json')).stdout).workers[0].info;
  expect(control).toMatchObject({ yours: false, holder: { connected: false } });
});

it('take and share ask which worker is meant where there are several, or none', async () => {
  const none = await at('nobody', 'take', '--json');
  expect(JSON.parse(none.stdout).error).toMatchObject({ code: 'which-worker' });
  expect(none.code).toBe(2);
  await using other = new WorkerProcess(join(folder, 'other'));
  const { url, code } = await other.listening();
  await at('laptop', 'connect', url, '--code', code, '--name', 'other');
  const several = await at('laptop', 'share', '--json');
  expect(JSON.parse(several.stdout).error.hint).toBe('Name one of them: box, other.');
  expect((await at('laptop', 'share', 'other')).stdout).toContain(url);
});

it('machines pair by the pin of a worker with a certificate of its own, and secrets stay where they belong', async () => {
  const home = join(folder, 'tls');
  const served = new WorkerProcess(home, { args: ['--tls', 'self-signed'] });
  const { url, pin, code } = await served.line('listening');
  const said: string[] = [];
  const ask = async (machine: string, ...words: string[]) => {
    const end = await at(machine, ...words);
    said.push(end.stdout, end.stderr);
    return end;
  };
  expect((await ask('north', 'connect', `${url}`, '--code', `${code}`)).code).toBe(1);
  expect(said.join('')).toContain('signed by nobody but itself');
  expect(
    (await ask('north', 'connect', `${url}`, '--pin', `${pin}`, '--code', `${code}`)).code,
  ).toBe(0);
  const shared = (await ask('north', 'share')).stdout.trim();
  expect(shared).toContain(` --pin ${pin} --code `);
  expect((await ask('south', ...shared.split(' ').slice(1))).code).toBe(0);
  expect((await ask('south', 'workers')).stdout).toContain('read-only');
  expect((await ask('south', 'take')).stderr).toContain('read-only');
  expect((await ask('north', 'run', 'imdb-lstm', '--on', `${url}`, '--set', 'epochs=1')).code).toBe(
    0,
  );

  const processes = await argumentsOfProcesses();
  await served.stop();
  // A code is shown by the worker, once, and is used up.
  said.push(...served.lines.map((line) => JSON.stringify(line)), ...served.errors);
  for (const machine of ['north', 'south']) {
    const file = join(folder, machine, 'client', 'workers.json');
    const { token } = JSON.parse(await readFile(file, 'utf8')).workers[0];
    expect(token).toMatch(/^[\w-]{43}$/);
    expect((await stat(file)).mode & 0o077).toBe(0);
    expect(await filesWith(token)).toEqual([file]);
    expect(said.filter((text) => text.includes(token))).toEqual([]);
    expect(processes.filter((text) => text.includes(token))).toEqual([]);
  }
  const privateKey = (await readFile(join(home, 'tls.pem'), 'utf8')).split('\n')[1] ?? '';
  expect(await filesWith(privateKey)).toEqual([join(home, 'tls.pem')]);
  expect(await filesWith(`${code}`)).toEqual([]);
});

/** Every file of this test's homes that holds a text. */
async function filesWith(text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(paths.map((path) => readFile(path, 'latin1')));
  return paths.filter((_, index) => contents[index]?.includes(text));
}

/** What every process of this machine was started with, as anybody on it can see; on Linux. */
async function argumentsOfProcesses(): Promise<string[]> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  return Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
}
