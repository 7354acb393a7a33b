import { expect, it } from 'vitest';
import type { CommandContext } from '../../../../client/cli/context.ts';
import { controlRun } from '../../../../client/cli/control-run.ts';
import { Output } from '../../../../client/cli/output.ts';
import { exitCodes } from '../../../../shared/errors.ts';
import { ScriptedClient } from '../ui/scripted-client.ts';
import { digitsRun } from '../ui/scripts.ts';

it('what was asked and did not take effect in time ends with an exit code of its own', async () => {
  const run = digitsRun();
  const client = new ScriptedClient();
  client.opened.set(run.id, run);
  let printed = '';
  const context: CommandContext = {
    output: new Output({ json: true, results: { write: (text) => (printed += text) } }),
    interactive: false,
    client: async () => client,
    interruption: () => new AbortController().signal,
    exitCode: exitCodes.done,
  };
  await controlRun(context, run.id, {
    ask: (handle) => handle.pause(),
    settled: ({ state }) => state === 'paused',
    said: () => 'It is paused.',
    patienceMs: 20,
  });
  expect(JSON.parse(printed)).toMatchObject({ run: run.id, state: 'running', settled: false });
  expect(context.exitCode).toBe(exitCodes.failed);
  expect(run.asked).toEqual(['pause']);
});
