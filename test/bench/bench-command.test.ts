import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { benchmarkListSchema, benchmarkReportSchema } from '../../shared/benchmark-report.ts';
import { Command, teletrain } from '../e2e/support/command.ts';
import { peersPython } from '../peers/python.ts';

const run = promisify(execFile);
const python = peersPython();

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-bench-test-'));
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

/** The processes below one, as the system lists them. */
async function below(ancestor: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=']);
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const childrenOf = (parent: number): number[] =>
    pairs.flatMap(([pid = 0, ppid]) => (ppid === parent ? [pid, ...childrenOf(pid)] : []));
  return childrenOf(ancestor);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** One long benchmark with a Python that has no peer. */
let started: Command | undefined;
function long(): Command {
  if (started === undefined) throw new Error('It was not started.');
  return started;
}
beforeAll(async () => {
  const empty = join(home, 'empty');
  await run('python3', ['-m', 'venv', '--without-pip', empty]);
  const python = join(empty, 'bin', 'python');
  started = new Command(
    [
      ...['bench', '--case', 'tiny', '--peer', 'pytorch', '--rounds', '1000'],
      ...['--peers-python', python],
    ],
    { home },
  );
});

describe('teletrain bench', () => {
  it('names a missing peer at once, with the command that installs it, and goes on without', async () => {
    await long().printed(/tiny: round 2 of 1000/);
    expect(long().stderr).toMatch(
      /tiny: without PyTorch: \S+empty\/bin\/python has no (torch|numpy); \S+ -m venv \S+ && \S+ install -r \S+\n/,
    );
  });

  it('ends all that it started when it is interrupted', async () => {
    await long().printed(/tiny: round 2 of 1000/);
    const started = await below(long().child.pid ?? 0);
    // The harness, ours and the matrix product.
    expect(started.length).toBeGreaterThanOrEqual(3);
    long().child.kill('SIGINT');
    expect((await long().ended).code).toBe(130);
    expect(started.filter(isAlive)).toEqual([]);
  });

  it('leaves nothing behind when it is killed itself', async () => {
    const command = new Command(['bench', '--case', 'tiny', '--peer', 'pytorch'], { home });
    await command.printed(/preparing/);
    const started = await below(command.child.pid ?? 0);
    command.child.kill('SIGKILL');
    await vi.waitFor(() => expect(started.filter(isAlive)).toEqual([]), {
      timeout: 30_000,
      interval: 50,
    });
  });

  it('lists its cases, and refuses one that is not there', async () => {
    const listed = await teletrain(['bench', '--list', '--json'], { home });
    const { cases } = benchmarkListSchema.parse(JSON.parse(listed.stdout));
    expect(cases.find(({ name }) => name === 'report-stack')?.targets).toContain('>= 5x Keras');
    const refused = await teletrain(['bench', '--case', 'nothing', '--json'], { home });
    expect(refused.code).toBe(2);
    expect(JSON.parse(refused.stdout).error).toMatchObject({ code: 'unknown-case' });
  });

  it('refuses options that would have no effect, and paths that are not there, before it times', async () => {
    const refusals = [
      [['--svg', join(home, 'sweep.svg')], 'usage'],
      [['--sweep', '--case', 'tiny'], 'usage'],
      [['--sweep', '--peer', 'keras'], 'usage'],
      [['--sweep', '--svg', join(home, 'nowhere', 'sweep.svg')], 'cannot-write'],
      [['--case', 'tiny', '--earlier', 'nowhere'], 'no-such-folder'],
    ] as const;
    for (const [options, code] of refusals) {
      const refused = await teletrain(['bench', ...options, '--json'], { home });
      expect([options, refused.code]).toEqual([options, 2]);
      expect(JSON.parse(refused.stdout).error).toMatchObject({ code });
    }
  });

  it('takes another clone by a relative path', async () => {
    const clone = relative(process.cwd(), resolve(import.meta.dirname, '..', '..')) || '.';
    const { stdout, code } = await teletrain(
      [
        'bench',
        '--case',
        'tiny',
        '--peer',
        'earlier',
        '--earlier',
        clone,
        '--rounds',
        '1',
        '--json',
      ],
      { home },
    );
    expect(code).toBe(0);
    const [tiny] = benchmarkReportSchema.parse(JSON.parse(stdout)).cases;
    expect(tiny?.measurements.map(({ participant }) => participant)).toEqual([
      ...['teletrain', 'earlier'],
    ]);
  });

  it('fails where ours cannot be timed, with the reason', async () => {
    const { stdout, code } = await teletrain(
      ['bench', '--case', 'tiny', '--peer', 'operations', '--rounds', '1', '--json'],
      { home, environment: { TELETRAIN_INSTRUCTION_SET: 'typo' } },
    );
    expect(code).toBe(1);
    const [tiny] = benchmarkReportSchema.parse(JSON.parse(stdout)).cases;
    expect(tiny?.measurements).toEqual([]);
    expect(tiny?.missing).toMatchObject([
      { participant: 'teletrain', reason: 'TELETRAIN_INSTRUCTION_SET is typo.' },
    ]);
  });

  it('goes on without a participant that dies in the rounds', async () => {
    const command = new Command(
      ['bench', '--case', 'tiny', '--peer', 'operations', '--rounds', '12', '--json'],
      { home },
    );
    await command.printed(/tiny: round 2 of 12/);
    const { stdout } = await run('ps', ['-eo', 'pid=,args=']);
    const mine = new Set(await below(command.child.pid ?? 0));
    const line = stdout
      .split('\n')
      .find((text) => text.includes('--implementation operations') && mine.has(parseInt(text, 10)));
    process.kill(parseInt(line ?? '', 10), 'SIGKILL');
    const ended = await command.ended;
    expect(ended.code).toBe(0);
    const [tiny] = benchmarkReportSchema.parse(JSON.parse(command.stdout)).cases;
    expect(tiny?.measurements.map(({ participant }) => participant)).toEqual(['teletrain']);
    expect(tiny?.measurements[0]?.wall.rounds).toHaveLength(12);
    expect(tiny?.missing).toMatchObject([{ participant: 'operations' }]);
  });

  if (python) {
    it('times ours beside real Keras and gives one document', async () => {
      const { stdout, code } = await teletrain(
        [
          ...['bench', '--case', 'tiny', '--peer', 'keras', '--rounds', '2', '--json'],
          ...['--peers-python', python],
        ],
        { home },
      );
      expect(code).toBe(0);
      const report = benchmarkReportSchema.parse(JSON.parse(stdout));
      expect(report.machine.versions).toMatchObject({
        keras: expect.stringMatching(/^3\./),
        node: process.versions.node,
      });
      const [tiny] = report.cases;
      const [ours, keras] = tiny?.measurements ?? [];
      expect([ours?.participant, keras?.participant]).toEqual(['teletrain', 'keras']);
      expect(keras?.note).toMatch(/^jit_compile (on|off) /);
      expect(keras?.ratio?.rounds).toEqual(
        keras?.wall.rounds.map((time, round) => time / (ours?.wall.rounds[round] ?? 0)),
      );
      expect(tiny?.limit?.ratio.min).toBeGreaterThan(1);
      expect(tiny?.missing).toEqual([]);
    });
  } else {
    it('could not be run beside real Keras here', () => {
      console.warn(
        'NOT CHECKED: the benchmark with real Keras. Missing: Python with Keras (TELETRAIN_PEERS_PYTHON).',
      );
    });
  }
});
