import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { closeCodes } from '../../shared/limits.ts';
import { teletrain } from '../e2e/support/command.ts';
import { WorkerProcess } from './support/worker-process.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-bad-input-'));
  await mkdir(join(home, 'empty'));
  await mkdir(join(home, 'damaged'));
  await writeFile(join(home, 'damaged', 'manifest.json'), '{"format": 1');
});
afterAll(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));

interface Case {
  readonly args: readonly string[];
  readonly code: string;
  readonly says: string;
  readonly hint: string;
  readonly exitCode?: number;
  readonly input?: string;
}

const quick = ['digits-pixel-rnn', '--quick'];
const cases: readonly Case[] = [
  { args: ['runn'], code: 'unknown-command', says: '"runn"', hint: 'teletrain run' },
  { args: ['run'], code: 'usage', says: 'recipe', hint: '--help' },
  { args: ['run', 'mnist'], code: 'unknown-recipe', says: '"mnist"', hint: 'digits-pixel-rnn' },
  { args: ['run', ...quick, '--quik'], code: 'usage', says: '--quik', hint: '--quick' },
  {
    args: ['run', ...quick, '--set', 'epoch=3'],
    code: 'unknown-setting',
    says: '"epoch"',
    hint: 'epochs',
  },
  {
    args: ['run', ...quick, '--set', 'epochs'],
    code: 'bad-setting',
    says: '"epochs"',
    hint: 'epochs=5',
  },
  {
    args: ['run', ...quick, '--set', 'epochs=-1'],
    code: 'bad-setting',
    says: '-1',
    hint: '--help',
  },
  {
    args: ['run', ...quick, '--set', 'optimizer=sgd'],
    code: 'bad-setting',
    says: '"sgd"',
    hint: '--help',
  },
  {
    args: ['run', ...quick, '--data-dir', '/nowhere'],
    code: 'no-such-folder',
    says: '/nowhere',
    hint: 'folder',
  },
  {
    args: ['run', ...quick, '--data-dir', '/tmp', '--on', 'colab'],
    code: 'data-dir-of-worker',
    says: 'data folder',
    hint: 'teletrain worker',
  },
  {
    args: ['run', ...quick, '--on', 'nobody'],
    code: 'not-paired',
    says: '"nobody"',
    hint: 'connect',
  },
  { args: ['run', ...quick, '--lost-after', 'soon'], code: 'usage', says: 'soon', hint: '--help' },
  { args: ['attach', 'nothing'], code: 'unknown-run', says: '"nothing"', hint: 'teletrain runs' },
  { args: ['show', '../../etc'], code: 'unknown-run', says: '../../etc', hint: 'teletrain runs' },
  {
    args: ['stop', 'a-run', '--now', '--epoch'],
    code: 'usage',
    says: 'exclude',
    hint: 'one of them',
  },
  { args: ['change', 'a-run'], code: 'usage', says: 'Nothing to change', hint: '--patience' },
  { args: ['change', 'a-run', '--epochs', '0'], code: 'usage', says: 'at least 1', hint: '--help' },
  { args: ['export', 'a-run', '--format', 'xml'], code: 'usage', says: 'xml', hint: '--help' },
  {
    args: ['clean', '--run', 'a-run'],
    code: 'unknown-run',
    says: '"a-run"',
    hint: 'teletrain runs',
  },
  { args: ['connect', 'ftp://host'], code: 'bad-url', says: 'ftp', hint: 'ws://' },
  {
    args: ['connect', 'ws://host/?token=secret'],
    code: 'bad-url',
    says: 'query',
    hint: 'never in the address',
  },
  {
    args: ['connect', 'ws://127.0.0.1:1', '--code', ''],
    code: 'no-code',
    says: 'code',
    hint: '--code',
  },
  {
    args: ['connect', 'ws://127.0.0.1:1'],
    code: 'no-code',
    says: 'code',
    hint: '--code',
    input: '\n',
  },
  { args: ['workers', 'stop', 'nobody'], code: 'not-paired', says: '"nobody"', hint: 'connect' },
  { args: ['workers', 'forget', 'nobody'], code: 'not-paired', says: '"nobody"', hint: 'connect' },
  {
    args: ['notebook', '--out', 'nowhere/x.ipynb'],
    code: 'no-such-folder',
    says: 'nowhere',
    hint: '--out',
  },
  { args: ['worker', '--port', '99999'], code: 'usage', says: '99999', hint: '--help' },
  {
    args: ['checkpoints', 'verify', 'empty'],
    code: 'not-a-checkpoint',
    says: 'empty',
    hint: 'manifest.json',
  },
  {
    args: ['checkpoints', 'verify', 'damaged'],
    code: 'checkpoint-corrupt',
    says: 'manifest.json',
    hint: 'checkpoints get',
    exitCode: 1,
  },
];

const inHome = (args: readonly string[]) =>
  args.map((arg) => (arg === 'empty' || arg === 'damaged' ? join(home, arg) : arg));

describe.concurrent('wrong input gets a code, one sentence, one hint and the right exit code', () => {
  it.each(cases)(
    'teletrain $args',
    async ({ args, code, says, hint, exitCode = 2, input = '' }) => {
      const ended = await teletrain([...inHome(args), '--json'], { home, input });
      const { error } = JSON.parse(ended.stdout);
      expect(error).toMatchObject({
        code,
        message: expect.stringContaining(says),
        hint: expect.stringContaining(hint),
      });
      expect(error.message).toMatch(/^[^\n]+\.$/);
      expect(error.stack).toBeUndefined();
      expect(ended.stderr).toBe('');
      expect(ended.code).toBe(exitCode);
    },
  );

  it.each(
    cases.filter(({ code }) =>
      ['unknown-recipe', 'unknown-run', 'checkpoint-corrupt'].includes(code),
    ),
  )('and for people two lines, without a stack: teletrain $args', async (bad) => {
    const ended = await teletrain(inHome(bad.args), { home });
    const [sentence, advice, ...more] = ended.stderr.trimEnd().split('\n');
    expect(sentence).toContain(bad.says);
    expect(advice).toContain(bad.hint);
    expect(more).toEqual([]);
    expect(ended.stdout).toBe('');
    expect(ended.code).toBe(bad.exitCode ?? 2);
  });
});

it('nothing was started and nothing half-written', async () => {
  const folders = await readdir(home);
  expect(folders.filter((name) => !['empty', 'damaged', 'client'].includes(name))).toEqual([]);
  expect(await readdir(join(home, 'client', 'runs')).catch(() => [])).toEqual([]);
});

describe('a worker that cannot be used', () => {
  it('a wrong code is refused, and so is one that was used', async () => {
    await using worker = new WorkerProcess(join(home, 'worker'));
    const { url, code } = await worker.listening();
    const wrong = await teletrain(['connect', url, '--code', 'AAAA-AAAA', '--json'], { home });
    expect(JSON.parse(wrong.stdout).error.code).toBe('wrong-code');
    expect(wrong.code).toBe(1);
    const right = await teletrain(['connect', url, '--name', 'w', '--json'], {
      home,
      input: `${code}\n`,
    });
    expect(JSON.parse(right.stdout).worker).toMatchObject({ name: 'w', local: false });
    expect(`${right.stdout}${right.stderr}`).not.toMatch(/token/i);
    const used = await teletrain(['connect', url, '--code', code], { home });
    expect(used.stderr).toMatch(/^The pairing code is wrong, used or no longer valid\.\n/);
    expect(used.code).toBe(1);
  });

  it('a token that it does not know is refused with what to do', async () => {
    const worker = new WorkerProcess(join(home, 'forgetful'));
    const { url, code } = await worker.listening();
    await teletrain(['connect', url, '--code', code, '--name', 'forgetful'], { home });
    await worker.kill();
    await rm(join(home, 'forgetful'), { recursive: true });
    const { port } = new URL(url);
    await using again = new WorkerProcess(join(home, 'forgetful'), { args: ['--port', port] });
    await again.listening();
    const run = await teletrain(['run', ...quick, '--on', 'forgetful', '--json'], { home });
    const { error } = JSON.parse(run.stdout);
    expect(error.code).toMatch(/unauthorised|wrong-token/);
    expect(error.hint).toContain('teletrain connect');
    expect(run.code).toBe(1);
  });

  it('one of another version is told as such', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => socket.close(closeCodes.unsupportedVersion));
    await new Promise((ready) => server.once('listening', ready));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const { stdout, code } = await teletrain(
      ['connect', `ws://127.0.0.1:${port}`, '--code', 'AAAA-AAAA', '--json'],
      { home },
    );
    server.close();
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'unsupported-version',
      hint: expect.stringContaining('same version'),
    });
    expect(code).toBe(1);
  });
});

it('a dataset that cannot be had ends the run with the option to give', async () => {
  const cache = join(home, 'cache');
  await mkdir(cache);
  // The engine of these tests, and none of their datasets.
  await symlink(join(process.env.TELETRAIN_CACHE ?? '', 'engine'), join(cache, 'engine'));
  const nowhere = 'http://127.0.0.1:9';
  const environment = {
    ...{ TELETRAIN_CACHE: cache, TELETRAIN_DATA: '', NODE_USE_ENV_PROXY: '1' },
    ...{
      HTTPS_PROXY: nowhere,
      HTTP_PROXY: nowhere,
      https_proxy: nowhere,
      http_proxy: nowhere,
      NO_PROXY: '127.0.0.1',
      no_proxy: '127.0.0.1',
    },
  };
  const own = { home: join(home, 'no-data'), environment };
  try {
    const run = await teletrain(
      ['run', 'imdb-lstm', '--quick', '--data-dir', join(home, 'empty')],
      own,
    );
    expect(run.stdout).toMatch(/Failed at step 0.*imdb\.npz.*--data-dir/);
    expect(run.code).toBe(1);
  } finally {
    await teletrain(['workers', 'stop', 'local'], own);
  }
});
