import { expect, it } from 'vitest';
import { followRun } from '../../../../client/cli/follow-run.ts';
import { Output } from '../../../../client/cli/output.ts';
import type { CheckpointView } from '../../../../client/session/types.ts';
import type { RunState } from '../../../../shared/events.ts';
import { digitsRun } from '../ui/scripts.ts';

const failed = {
  state: 'failed',
  code: 'disk-full',
  message: 'The checkpoint cannot be kept: the disk is full.',
  hint: 'Free some space.',
} as const;

/** Follows a run that has ended and of which one checkpoint is not at home. */
async function followed(
  state: RunState,
  home: CheckpointView['home'] = failed,
): Promise<{ printed: string; error: unknown }> {
  const run = digitsRun();
  run.checkpointHome('step-000002500', home);
  run.push({ type: 'state', state });
  let printed = '';
  const sink = { write: (text: string) => (printed += text) };
  const output = new Output({ json: false, results: sink, notices: sink });
  const error = await followRun(run, output, {
    signal: new AbortController().signal,
    lostAfterMs: 1000,
  }).catch((thrown: unknown) => thrown);
  return { printed, error };
}

it('a checkpoint that did not come home is told at the end of the run, with an exit code of its own', async () => {
  const { printed, error } = await followed('done');
  expect(printed).toContain('Done at step');
  expect(error).toMatchObject({
    code: 'checkpoint-not-home',
    message:
      'Checkpoint step-000002500 did not come home: The checkpoint cannot be kept: the disk is full.',
    hint: expect.stringMatching(/^Free some space\. .*checkpoints get \S+ step-000002500"\.$/),
    exitCode: 1,
  });
});

it('a run shown from this disk, of which a checkpoint is only on a worker that cannot be reached, says so', async () => {
  const { error } = await followed('done', { state: 'absent' });
  expect(error).toMatchObject({
    code: 'checkpoint-not-home',
    message: 'Checkpoint step-000002500 did not come home: its worker "colab" cannot be reached.',
    exitCode: 1,
  });
});

it('a run that was stopped keeps its exit code then', async () => {
  expect((await followed('stopped')).error).toMatchObject({ exitCode: 4 });
});
