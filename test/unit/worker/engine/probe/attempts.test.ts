import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Attempts } from '../../../../../worker/engine/probe/attempts.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-attempts-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('an implementation that ended the process is not tried by the next one, until its mark is deleted', async () => {
  const module = resolve('worker/engine/probe/attempts.ts');
  const script = `
    import { Attempts } from ${JSON.stringify(module)};
    new Attempts(${JSON.stringify(folder)}).remember('LSTM', 'cudnn', () => process.abort());`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '--eval', script]);
  expect(ended.signal).toBe('SIGABRT');
  const attempts = new Attempts(folder);
  const mark = join(folder, 'LSTM-cudnn');
  expect(attempts.endedBefore('LSTM', 'cudnn')).toBe(
    `ended the engine when it was tried; delete ${mark} to have it tried again`,
  );
  expect(attempts.endedBefore('LSTM', 'block')).toBeUndefined();
  expect(attempts.endedBefore('GRU', 'cudnn')).toBeUndefined();
  await rm(mark);
  expect(attempts.endedBefore('LSTM', 'cudnn')).toBeUndefined();
});

it('one that comes back leaves no mark, also where it throws', async () => {
  const attempts = new Attempts(folder);
  expect(attempts.remember('LSTM', 'cudnn', () => 7)).toBe(7);
  const failing = () =>
    attempts.remember('GRU', 'cudnn', () => {
      throw new Error('refused');
    });
  expect(failing).toThrow('refused');
  expect(await readdir(folder)).toEqual([]);
});

it('one that another process is trying at this moment has not ended it', () => {
  const attempts = new Attempts(folder);
  const module = resolve('worker/engine/probe/attempts.ts');
  const script = `
    import { Attempts } from ${JSON.stringify(module)};
    console.log(new Attempts(${JSON.stringify(folder)}).endedBefore('LSTM', 'cudnn'));`;
  const seen = attempts.remember('LSTM', 'cudnn', () =>
    spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' }),
  );
  expect(seen.stdout).toBe('undefined\n');
});
