import { recipeNames } from '../../../shared/recipes.ts';
import type { Command } from '../keys/binding.ts';
import type { Dashboard } from './dashboard.ts';
import type { Dialog } from './dialog.ts';
import { firstError } from './form.ts';
import { chosenWorker, homeLists, isObserved, moveChosen, turnList } from './home.ts';
import { startLocalWorker } from './local-worker.ts';
import { checkPairingForm, pairingForm, pairingOf } from './pairing-form.ts';
import { recipeForm } from './recipe-form.ts';

/** What keys do on the first screen. */
export function performAtHome(dashboard: Dashboard, command: Command): void {
  const { home } = dashboard;
  switch (command) {
    case 'home.next':
      dashboard.home = moveChosen(home, 1);
      return;
    case 'home.previous':
      dashboard.home = moveChosen(home, -1);
      return;
    case 'pane.next':
      dashboard.home = turnList(home, 1);
      return;
    case 'pane.previous':
      dashboard.home = turnList(home, -1);
      return;
    case 'home.recipes':
    case 'home.runs':
    case 'home.workers':
      dashboard.home = {
        ...home,
        list: homeLists.find((list) => command === `home.${list}`) ?? 'recipes',
      };
      return;
    case 'home.refresh':
      dashboard.refreshHome();
      return;
    case 'home.startWorker':
      startLocalWorker(dashboard);
      return;
    case 'home.pair':
      pair(dashboard);
      return;
    case 'home.open':
      openChosen(dashboard);
      return;
    case 'home.stopWorker':
    case 'home.forgetWorker':
      endWorker(dashboard, command === 'home.stopWorker' ? 'stop' : 'forget');
      return;
  }
}

function openChosen(dashboard: Dashboard): void {
  const { list, chosen, runs, workers } = dashboard.home;
  const at = chosen[list];
  const others = (workers ?? [])
    .filter((worker) => !worker.local && !isObserved(dashboard.home, worker))
    .map(({ name }) => name);
  if (list === 'recipes') {
    const recipe = recipeNames[at];
    if (recipe) dashboard.screen = { kind: 'start', form: recipeForm(recipe, others) };
  } else if (list === 'runs') {
    const run = runs?.[at];
    if (run) dashboard.openRun(run.record.id);
  } else {
    const worker = workers?.[at];
    const recipe = recipeNames[chosen.recipes];
    if (!worker) pair(dashboard);
    else if (isObserved(dashboard.home, worker)) watch(dashboard, worker.name);
    else if (recipe)
      dashboard.screen = {
        kind: 'start',
        form: recipeForm(recipe, others, { worker: worker.name }),
      };
  }
}

/** Opens what a worker trains now, which the list may not know yet. */
function watch(dashboard: Dashboard, worker: string): void {
  const { client } = dashboard;
  dashboard.waitFor('Opening the run', { message: `asking ${worker}` }, async (signal) => {
    const { activeRun } = await client.workerInfo(worker);
    if (signal.aborted) return;
    if (activeRun !== undefined) dashboard.showRun(await client.openRun(activeRun, { signal }));
    else
      dashboard.notice = {
        text: `${worker} trains nothing now, and this machine may only look there.`,
        style: 'warning',
      };
  });
}

function pair(dashboard: Dashboard): void {
  const form = pairingForm();
  dashboard.dialog = {
    kind: 'form',
    title: 'Connect to a worker',
    lines: ['"teletrain worker", or the notebook in Colab, prints an address and a one-time code.'],
    // Not checked while it is empty: nobody likes to be told off for what was not typed yet.
    form,
    check: checkPairingForm,
    submit: (filled) => {
      const { url, code, name, pin } = pairingOf(filled);
      if (firstError(checkPairingForm(filled))) {
        dashboard.dialog = { ...pairDialog(dashboard), form: checkPairingForm(filled) };
        return;
      }
      dashboard.waitFor('Connecting', { message: url }, async (signal) => {
        const worker = await dashboard.client.connectWorker(url, {
          code,
          ...(name === undefined ? {} : { name }),
          ...(pin === undefined ? {} : { pin }),
          signal,
        });
        dashboard.notice = { text: `Connected with ${worker.name}.`, style: 'good' };
        dashboard.home = { ...dashboard.home, list: 'workers' };
        dashboard.refreshHome();
      });
    },
  };
}

function pairDialog(dashboard: Dashboard): Extract<Dialog, { kind: 'form' }> {
  pair(dashboard);
  if (dashboard.dialog?.kind !== 'form') throw new Error('pairing opens a form');
  return dashboard.dialog;
}

function endWorker(dashboard: Dashboard, how: 'stop' | 'forget'): void {
  const worker = dashboard.home.list === 'workers' ? chosenWorker(dashboard.home) : undefined;
  if (!worker) {
    dashboard.notice = { text: 'Choose a worker first (key 3).', style: 'warning' };
    return;
  }
  if (how === 'stop' && isObserved(dashboard.home, worker)) {
    dashboard.notice = {
      text: `This machine may only look: its token for ${worker.name} is read-only.`,
      style: 'warning',
    };
    return;
  }
  const take = () =>
    dashboard.attempt(
      (async () => {
        await (how === 'stop'
          ? dashboard.client.stopWorker(worker.name)
          : dashboard.client.forgetWorker(worker.name));
        dashboard.notice = {
          text: how === 'stop' ? `${worker.name} is stopped.` : `${worker.name} is forgotten.`,
          style: 'good',
        };
        dashboard.refreshHome();
      })(),
    );
  const lines =
    how === 'stop'
      ? ['A run that trains there leaves a checkpoint first.']
      : ['Its token is removed here; connecting again needs a new code.'];
  dashboard.dialog = {
    kind: 'choice',
    title: how === 'stop' ? `Stop ${worker.name}?` : `Forget ${worker.name}?`,
    lines,
    answers: [
      { label: 'cancel', take: () => {} },
      { label: how, key: 'y', take },
    ],
    chosen: 0,
  };
}
