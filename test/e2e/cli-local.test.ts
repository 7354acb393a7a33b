import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Command, program, teletrain } from './support/command.ts';

/** Real digits, the real engine, seconds instead of a minute. */
const tiny = [
  ...['--quick', '--set', 'batchSize=50'],
  ...['--set', 'trainExamples=200', '--set', 'validationExamples=100'],
  ...['--set', 'testExamples=100', '--set', 'sampleCount=4', '--set', 'epochs=1'],
];

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-local-'));
});
afterAll(async () => {
  await run('workers', 'stop', 'local');
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
});
const run = (...args: string[]) => teletrain(args, { home });

it('a first run starts the local worker and leaves pictures and a verified checkpoint', async () => {
  const { stdout, stderr, code } = await run('run', 'digits-pixel-rnn', ...tiny);
  expect(stderr).toContain('starting the worker on this machine');
  expect(stdout).toMatch(
    /^digits-pixel-rnn-\S+ \(quick: .*\): [\d,]+ parameters, 4 steps an epoch, /,
  );
  const [, computedBy = ''] = /, (DiagonalLSTM by [^\n]+)\n/.exec(stdout) ?? [];
  expect(computedBy).not.toBe('');
  expect((await run('show', 'last')).stdout).toContain(`layers      ${computedBy}\n`);
  expect(stdout).toMatch(/^epoch 1\/1 {2}4\/4 {2}\S+ {2}loss [\d.]+ {2}validation loss [\d.]+/m);
  expect(stdout).toMatch(/^test +loss [\d.]+/m);
  const [, picture = ''] = /^pictures +(.*)$/m.exec(stdout) ?? [];
  expect((await readFile(picture)).subarray(1, 4).toString()).toBe('PNG');
  const [, checkpoint = ''] = /^checkpoint +(.*)$/m.exec(stdout) ?? [];
  expect((await run('checkpoints', 'verify', checkpoint)).code).toBe(0);
  expect(code).toBe(0);
});

it('without a command and a terminal it is a quick run of digits-pixel-rnn, on the same worker', async () => {
  const command = new Command([], { home });
  const [, id = ''] = await command.printed(/^(digits-pixel-rnn-\S+) \(quick/m);
  expect(command.stderr).not.toContain('starting the worker');
  command.child.kill('SIGINT');
  expect((await command.ended).code).toBe(130);
  expect((await run('stop', id)).code).toBe(0);
  const shown = JSON.parse((await run('show', id, '--json')).stdout);
  expect(shown).toMatchObject({
    quick: true,
    settings: { dataset: 'mnist-10k' },
    state: 'stopped',
  });
});

it('in a terminal a run is shown in the dashboard, which gives the terminal back', async () => {
  const terminal = spawn(process.execPath, [program, 'run', 'digits-pixel-cnn-report', ...tiny], {
    cols: 100,
    rows: 30,
    env: { ...process.env, TELETRAIN_HOME: home, TERM: 'xterm-256color', NO_COLOR: '1' },
  });
  let screen = '';
  const shows = (pattern: RegExp) =>
    new Promise<void>((done) => {
      const listener = terminal.onData(() => {
        if (!pattern.test(screen)) return;
        listener.dispose();
        done();
      });
    });
  terminal.onData((text) => {
    screen += text;
  });
  const ended = new Promise<number>((done) => terminal.onExit(({ exitCode }) => done(exitCode)));
  await shows(/digits-pixel-cnn-report[\s\S]*validation/);
  terminal.write('q');
  expect(await ended).toBe(0);
  // The alternate screen was entered and left; NO_COLOR was honoured.
  expect(screen).toContain('\u001b[?1049h');
  expect(screen.lastIndexOf('\u001b[?1049l')).toBeGreaterThan(screen.lastIndexOf('\u001b[?1049h'));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's colours begin with one.
  expect(screen).not.toMatch(/\u001b\[(3[1-7]|38|9[0-7])[;m]/);
  expect((await run('attach', 'last', '--plain')).code).toBe(0);
});

it('doctor says which engine runs and why no better one does', async () => {
  const report = JSON.parse((await run('doctor', '--json')).stdout);
  const { candidates } = report.engine;
  expect(candidates.filter(({ chosen }: { chosen: boolean }) => chosen)).toHaveLength(1);
  for (const { reason } of candidates) expect(reason).toMatch(/\w/);
  const { stdout, code } = await run('doctor');
  for (const { name } of candidates) expect(stdout).toContain(name);
  const probed = await run('doctor', '--probe');
  // Each command measures anew: on a busy machine another implementation may be the fastest.
  for (const { layer, implementations } of report.engine.layers) {
    const lines = stdout.split('\n');
    const at = lines.findIndex((text) => new RegExp(`^layer +${layer} by `).test(text));
    expect(lines[at]).toMatch(/ by .*: agrees to/);
    const others = lines.slice(at + 1, at + implementations.length);
    expect(others.filter((text) => /^ {2}- \w+ +\w/.test(text))).toHaveLength(others.length);
    expect(probed.stdout).toMatch(new RegExp(`^${layer} +\\* \\w+ +yes +\\d`, 'm'));
    for (const { name } of implementations) {
      expect(probed.stdout).toMatch(new RegExp(`^${layer} .* ${name} `, 'm'));
    }
  }
  expect(stdout).toMatch(/^data +mnist-10k +\//m);
  expect(code).toBe(0);
});

it('"teletrain worker" passes on what the worker says, signals and the exit code', async () => {
  const own = await mkdtemp(join(home, 'worker-'));
  const worker = new Command(['worker', '--port', '0', '--name', 'mine', '--json'], { home: own });
  const [, port = ''] = await worker.printed(/"event":"listening".*ws:\/\/127\.0\.0\.1:(\d+)/);
  const taken = await teletrain(['worker', '--port', port], { home: join(own, 'other') });
  expect(`${taken.stdout}${taken.stderr}`).toContain(port);
  expect(taken.code).not.toBe(0);
  worker.child.kill('SIGTERM');
  expect((await worker.ended).code).toBe(0);
});

it('clean shows the caches and frees the one that is named, and no other', async () => {
  const cache = await mkdtemp(join(home, 'cache-'));
  const environment = { TELETRAIN_CACHE: cache };
  for (const name of ['engine', 'datasets']) {
    await mkdir(join(cache, name));
    await writeFile(join(cache, name, 'file'), 'x'.repeat(3000));
  }
  const shown = await teletrain(['clean'], { home, environment });
  expect(shown.stdout).toMatch(/^engine +2\.9 KiB.*\n^datasets +2\.9 KiB/m);
  const freed = await teletrain(['clean', '--data', '--json'], { home, environment });
  expect(JSON.parse(freed.stdout).caches).toEqual([
    expect.objectContaining({ name: 'engine', bytes: 3000, freedBytes: 0 }),
    expect.objectContaining({ name: 'datasets', bytes: 0, freedBytes: 3000 }),
  ]);
  expect(await readdir(cache)).toEqual(['engine']);
});
