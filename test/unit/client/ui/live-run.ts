import { systemClock } from '../../../../shared/clock.ts';
import type { EventBody } from '../../../../shared/events.ts';
import { ScriptedClient } from './scripted-client.ts';
import type { ScriptedRun } from './scripted-run.ts';
import { digitsRun } from './scripts.ts';
import { type OpenOptions, openDashboard } from './terminal.ts';

/** A run that is live now, not at the time its script tells of. */
export function live(run: ScriptedRun): ScriptedRun {
  if (run.view.status)
    run.view.status = { ...run.view.status, receivedAt: systemClock.monotonic() };
  return run;
}

/** The next step of the digits' run, in its fourth epoch, with this loss. */
export function lossOfNextStep(value: number): EventBody {
  const step = { type: 'metric', step: 2555, epoch: 4, split: 'train', per: 'step' } as const;
  return { ...step, name: 'loss', value };
}

/** The dashboard with a run of the digits recipe that is live. */
export function openLiveRun(options: Omit<OpenOptions, 'openRun'> = {}) {
  const run = live(digitsRun());
  const open = openDashboard(new ScriptedClient(), { ...options, openRun: run });
  const { terminal, ended } = open;
  return { run, terminal, ended, [Symbol.asyncDispose]: () => open[Symbol.asyncDispose]() };
}
