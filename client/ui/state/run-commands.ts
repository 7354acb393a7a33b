import { isFinal } from '../../../shared/events.ts';
import type { RunHandle, RunView } from '../../session/types.ts';
import type { Command } from '../keys/binding.ts';
import type { Dashboard } from './dashboard.ts';
import type { Dialog } from './dialog.ts';
import type { Notice } from './notice.ts';
import { batchesOf } from './run-curves.ts';
import * as runDialogs from './run-dialogs.ts';
import type { RunFeed } from './run-feed.ts';
import { changeRunUi, panes, type RunReach, type RunUiCommand } from './run-ui.ts';

/** What keys do on a run's screen. */
export function performInRun(dashboard: Dashboard, command: Command, feed: RunFeed): void {
  const { handle } = feed;
  const actions = runActions(dashboard, handle);
  switch (command) {
    case 'run.detach':
      dashboard.leave();
      return;
    case 'run.home':
      dashboard.showHome();
      return;
    case 'run.freeze':
      feed.toggleFrozen();
      return;
    case 'run.pauseOrResume':
      pauseOrResume(dashboard, handle);
      return;
    case 'run.stop':
      if (canCommand(dashboard, handle)) dashboard.dialog = runDialogs.stopDialog(handle, actions);
      return;
    case 'run.patience':
      if (canChange(dashboard, handle))
        dashboard.dialog = runDialogs.numberDialog('patience', handle, actions);
      return;
    case 'run.epochs':
      if (canChange(dashboard, handle))
        dashboard.dialog = runDialogs.numberDialog('epochs', handle, actions);
      return;
    case 'run.download':
      download(dashboard, handle);
      return;
    default:
      dashboard.ui = changeRunUi(dashboard.ui, command as RunUiCommand, reach(dashboard, feed)); // the other run commands are handled above
  }
}

/** What the dialogs about a run can do. */
export function runActions(dashboard: Dashboard, handle: RunHandle): runDialogs.RunActions {
  return {
    ask: (said, work) => dashboard.ask(said, work),
    leave: () => dashboard.leave(),
    resume: (on) => {
      if (on !== undefined || isAllowed(dashboard, handle)) dashboard.resumeRun(handle.id, on);
    },
  };
}

/** Whether a command can reach the run and would be taken; says why not, or asks about control. */
function canCommand(dashboard: Dashboard, handle: RunHandle): boolean {
  const { view } = handle;
  if (isFinal(view.state))
    dashboard.notice = { text: `The run is over (${view.state}).`, style: 'warning' };
  else if (view.connection.kind === 'offline')
    dashboard.notice = { text: 'Seen from disk: its worker cannot be reached.', style: 'warning' };
  else if (view.connection.kind !== 'connected')
    dashboard.notice = {
      text: 'The worker cannot be reached now; the run goes on.',
      style: 'warning',
    };
  else return isAllowed(dashboard, handle);
  return false;
}

/** As `canCommand`; the limits of a run that is over may be changed, too. */
const canChange = (dashboard: Dashboard, handle: RunHandle): boolean =>
  isFinal(handle.view.state) ? isAllowed(dashboard, handle) : canCommand(dashboard, handle);

const readOnly: Notice = {
  text: 'This machine may only look: its token for this worker is read-only.',
  style: 'warning',
};

/** Whether the worker takes changes from this machine; says why not, or asks about control. */
function isAllowed(dashboard: Dashboard, handle: RunHandle): boolean {
  const { view } = handle;
  if (view.access?.role === 'observe') dashboard.notice = readOnly;
  else if (isOthers(view)) dashboard.dialog = takeDialog(dashboard, handle);
  else return true;
  return false;
}

/** Whether another client has control, and is there to have it. */
function isOthers({ access }: RunView): boolean {
  return access?.control?.yours === false && access.control.holder?.connected === true;
}

/** Taking control is a decision of its own: what was asked for is asked again after it. */
function takeDialog(dashboard: Dashboard, handle: RunHandle): Dialog | undefined {
  const holder = handle.view.access?.control?.holder;
  return (
    holder &&
    runDialogs.takeDialog(holder.name, () =>
      dashboard.ask(`Asked for control, which ${holder.name} has.`, async () => {
        await handle.takeControl(holder.id);
        dashboard.notice = { text: 'This machine has control now.', style: 'good' };
      }),
    )
  );
}

function pauseOrResume(dashboard: Dashboard, handle: RunHandle): void {
  const { view } = handle;
  if (view.state === 'done' && view.epochs <= view.epoch)
    dashboard.notice = {
      text: 'The run is done. Give it more epochs with e, then Space resumes it.',
      style: 'warning',
    };
  else if (isFinal(view.state)) dashboard.attempt(offerResume(dashboard, handle));
  else if (canCommand(dashboard, handle)) {
    if (view.state === 'paused' || view.pending === 'pausing')
      dashboard.ask('Asked to go on.', () => handle.resume());
    else dashboard.ask('Asked to pause; it takes effect after this step.', () => handle.pause());
  }
}

async function offerResume(dashboard: Dashboard, handle: RunHandle): Promise<void> {
  const { view } = handle;
  const workers = await dashboard.client.workers();
  const own = workers.find(({ name }) => name === view.worker);
  const observed = (view.access?.role ?? own?.role) === 'observe';
  const others = workers.filter((worker) => worker !== own && worker.role !== 'observe');
  if (observed && others.length === 0) dashboard.notice = readOnly;
  else {
    const actions = runActions(dashboard, handle);
    dashboard.dialog = runDialogs.resumeDialog(handle, { own: !observed, others }, actions);
  }
  dashboard.changed();
}

function download(dashboard: Dashboard, handle: RunHandle): void {
  const checkpoint = [...handle.view.checkpoints].reverse()[dashboard.ui.checkpoint];
  if (!checkpoint) dashboard.notice = { text: 'There is no checkpoint yet.', style: 'warning' };
  else if (checkpoint.home.state === 'verified')
    dashboard.notice = { text: `It is here: ${checkpoint.home.directory}`, style: 'good' };
  else {
    dashboard.ui = { ...dashboard.ui, pane: 'checkpoints' };
    dashboard.ask(`Bringing ${checkpoint.id} home.`, async () => {
      const directory = await handle.download(checkpoint.id);
      dashboard.notice = { text: `Here and verified: ${directory}`, style: 'good' };
    });
  }
}

function reach(dashboard: Dashboard, { view }: RunFeed): RunReach {
  const names = new Set(
    [...view.series.values()].filter(({ length }) => length > 0).map(({ name }) => name),
  );
  const sample = view.samples[view.samples.length - 1 - dashboard.ui.sampleBack];
  return {
    metrics: names.size,
    batches: batchesOf(view),
    samples: view.samples.length,
    pictures: sample?.count ?? 0,
    checkpoints: view.checkpoints.length,
    logLines: view.log.length,
    epochs: view.epochsDone.length,
    panes,
  };
}
