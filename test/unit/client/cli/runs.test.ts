import { expect, it } from 'vitest';
import { removableRuns } from '../../../../client/cli/commands/clean.ts';
import { runTable } from '../../../../client/cli/commands/runs.ts';
import { listed, ScriptedClient } from '../ui/scripted-client.ts';

const now = 1_800_000_000_000;
const hoursAgo = (hours: number) => now - hours * 3_600_000;

it('a run that was long not heard of is marked, unless it has ended', () => {
  const [, running, fresh, done] = runTable(
    [
      listed('imdb-lstm', 'running', { lastHeardAt: hoursAgo(3) }),
      listed('imdb-lstm', 'running', { lastHeardAt: now - 1_000 }),
      listed('imdb-lstm', 'done', { lastHeardAt: hoursAgo(3) }),
    ],
    now,
  );
  expect(running).toContain('running, last heard 3 h ago');
  expect(fresh).toContain(' running ');
  expect(done).toContain(' done ');
  expect(`${fresh}${done}`).not.toContain('heard');
});

it('a run that has not ended is removed only where its worker is gone, or by force', async () => {
  const client = new ScriptedClient();
  const there = listed('imdb-lstm', 'running', { worker: 'local', id: 'imdb-lstm-a' });
  const gone = listed('imdb-lstm', 'running', { worker: 'vanished', id: 'imdb-lstm-b' });
  client.workerList = [{ name: 'local', url: 'ws://127.0.0.1:1/', local: true, addedAt: 0 }];
  client.runList = [there, gone];
  await expect(removableRuns(client, [gone.record.id], false)).resolves.toEqual([gone.directory]);
  await expect(removableRuns(client, [there.record.id], false)).rejects.toMatchObject({
    code: 'run-active',
    hint: expect.stringContaining('--force'),
  });
  await expect(removableRuns(client, [there.record.id], true)).resolves.toEqual([there.directory]);
});
