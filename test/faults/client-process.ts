import { followRun } from '../../client/cli/follow-run.ts';
import { Output } from '../../client/cli/output.ts';
import { describeError, printError } from '../../client/cli/report-error.ts';
import { createClient } from '../../client/session/client.ts';
import { defaultTimes } from '../../client/session/connection-times.ts';
import type { RunHandle } from '../../client/session/types.ts';
import { recipeNamed } from '../../shared/recipes.ts';

/**
 * A client's own program over the session's API, which does what `teletrain run`, `attach` and
 * `resume` do with `--json`, but gives a silent line up after a second and tries again quickly. The
 * home is TELETRAIN_HOME's.
 *
 *   node client-process.ts run RECIPE SETTINGS WORKER | attach RUN | resume RUN
 */
const quickTimes = {
  ...defaultTimes,
  pingMs: 300,
  silenceMs: 1_200,
  greetingMs: 1_500,
  firstDelayMs: 20,
  longestDelayMs: 200,
  settledMs: 1_000,
};
const lostAfterMs = 60_000;

const [command = '', what = '', settings = '{}', on = ''] = process.argv.slice(2);
const client = createClient({ times: quickTimes });
const output = new Output({ json: true });

async function open() {
  if (command === 'attach') return await client.openRun(what);
  if (command === 'resume') return await client.resumeRun(what);
  const { name } = recipeNamed(what);
  return await client.startRun({ recipe: name, settings: JSON.parse(settings), on });
}

let handle: RunHandle | undefined;
// What it waits for, where it seems to wait for ever.
process.on('SIGUSR2', () => {
  if (!handle) return output.notice(`it does not come to ${command} the run`);
  const { state, lastSeq, connection, pending, checkpoints } = handle.view;
  const atHome = checkpoints.map(({ id, home }) => `${id} ${home.state}`);
  output.notice(JSON.stringify({ state, lastSeq, connection, pending, atHome }));
});

let code: number;
try {
  handle = await open();
  code = await followRun(handle, output, { signal: new AbortController().signal, lostAfterMs });
  await client.close();
} catch (error) {
  const described = describeError(error);
  printError(described, output);
  code = described.exitCode;
}
process.exit(code);
