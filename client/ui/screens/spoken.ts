import { isFinal } from '../../../shared/events.ts';
import { recipeNames, recipes } from '../../../shared/recipes.ts';
import type { ConnectionState } from '../../session/types.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatMetricOf,
  formatName,
  formatPercent,
} from '../formatting.ts';
import { remainingMs } from '../panes/header.ts';
import { alertsOf } from '../state/alerts.ts';
import type { Dashboard } from '../state/dashboard.ts';
import type { Dialog } from '../state/dialog.ts';
import { type Form, textOf } from '../state/form.ts';
import { bestPoint, newestValue } from '../state/run-curves.ts';
import { printable } from '../text/width.ts';
import { workerDetails } from './worker-rows.ts';

/** A screen in sentences, for screen readers. */
export interface Spoken {
  /** Told as soon as it is different: what is asked, what happened, what is chosen. */
  readonly now: readonly string[];
  /** Told from time to time: numbers that change all the time. */
  readonly later: readonly string[];
}

export function spokenScreen(dashboard: Dashboard): Spoken {
  const { dialog, notice, problem, screen } = dashboard;
  const said = [
    ...(problem ? [`${problem.message} ${problem.hint} Escape closes this.`] : []),
    ...(notice ? [notice.text] : []),
  ].map(printable);
  if (dialog) return { now: [...said, ...spokenDialog(dialog)], later: [] };
  switch (screen.kind) {
    case 'home':
      return { now: [...said, ...spokenHome(dashboard)], later: [] };
    case 'start':
      return {
        now: [
          ...said,
          `New run of ${screen.form.recipe}.`,
          ...spokenForm(screen.form),
          'Enter starts it, Escape goes back.',
        ],
        later: [],
      };
    case 'run':
      return spokenRun(dashboard, said);
  }
}

function spokenDialog(dialog: Dialog): string[] {
  if (dialog.kind === 'progress') {
    const { message, done, total } = dialog.progress;
    return [
      `${dialog.title}: ${printable(message)}${total ? `, ${formatPercent((done ?? 0) / total)}` : ''}.`,
      'Escape cancels.',
    ];
  }
  if (dialog.kind === 'form')
    return [
      `${dialog.title}.`,
      ...dialog.lines,
      ...spokenForm(dialog.form),
      'Enter does it, Escape goes back.',
    ];
  const answer = dialog.answers[dialog.chosen];
  return [
    `${dialog.title}`,
    ...dialog.lines,
    `Answer ${dialog.chosen + 1} of ${dialog.answers.length}: ${answer?.label ?? ''}${answer?.description ? `, ${answer.description}` : ''}. Arrows choose, Enter takes it, Escape goes back.`,
  ];
}

function spokenForm(form: Form): string[] {
  const field = form.fields[form.focus];
  if (!field) return [];
  return [
    `Field ${form.focus + 1} of ${form.fields.length}, ${field.label}: ${printable(textOf(field)) || 'empty'}.`,
    ...(field.error === undefined ? [] : [`Not possible: ${field.error}.`]),
    ...(field.description === '' ? [] : [`${field.description}.`]),
  ];
}

function spokenHome({ home }: Dashboard): string[] {
  const at = home.chosen[home.list];
  const recipe = recipeNames[at];
  const run = home.runs?.[at];
  const worker = home.workers?.[at];
  const chosen =
    home.list === 'recipes'
      ? recipe && `${at + 1} of ${recipeNames.length}, ${recipe}: ${recipes[recipe].title}`
      : home.list === 'runs'
        ? run &&
          `${at + 1} of ${home.runs?.length ?? 0}, ${run.record.recipe}, ${run.state}, epoch ${run.epoch} of ${run.epochs}`
        : worker &&
          `${at + 1} of ${home.workers?.length ?? 0}, ${[printable(worker.name), ...workerDetails(home, worker)].join(', ')}`;
  return [
    `Home, list of ${home.list}. ${chosen ?? 'It is empty'}.`,
    'Tab changes the list, arrows choose, Enter opens, question mark tells the keys.',
  ];
}

function connectionSentence(connection: ConnectionState): string {
  switch (connection.kind) {
    case 'offline':
      return 'seen from disk';
    case 'connected':
      return 'connected';
    case 'waiting':
      return 'the connection is lost, trying again';
    case 'connecting':
      return 'connecting';
    case 'refused':
      return `refused by the worker: ${connection.code}`;
  }
}

function spokenRun(dashboard: Dashboard, said: readonly string[]): Spoken {
  if (dashboard.screen.kind !== 'run') return { now: said, later: [] };
  const { feed, curves } = dashboard.screen;
  const { view, now } = feed;
  const metrics = curves.update(view, 0);
  const numbers = metrics.flatMap(({ name, trainStep, trainEpoch, validation }) => {
    const train = trainStep ?? trainEpoch;
    const best = validation && bestPoint(validation, name);
    const parts = [
      ...(train ? [`training ${formatMetricOf(name, newestValue(train))}`] : []),
      ...(validation ? [`validation ${formatMetricOf(name, newestValue(validation))}`] : []),
      ...(validation && best !== undefined
        ? [
            `best ${formatMetricOf(name, validation.values[best] ?? Number.NaN)} at step ${formatCount(validation.steps[best] ?? 0)}`,
          ]
        : []),
    ];
    return parts.length > 0 ? [`${formatName(name)}: ${parts.join(', ')}.`] : [];
  });
  const remaining = remainingMs(view, now);
  const home = view.checkpoints.filter((checkpoint) => checkpoint.home.state === 'verified');
  return {
    now: [
      ...said,
      `${view.record.recipe}${view.record.quick ? ', quick' : ''}: ${view.pending ?? view.state}, ${connectionSentence(view.connection)}.`,
      ...alertsOf(view, now)
        .filter(({ level }) => level !== 'info')
        .map(({ text }) => printable(text).replace(/Trying again.*$/, '')),
    ],
    later: [
      `Epoch ${view.epoch} of ${view.epochs}, step ${formatCount(view.step)}${remaining === undefined || isFinal(view.state) ? '' : `, ${formatDuration(remaining)} left`}.`,
      ...numbers,
      ...(view.checkpoints.length > 0
        ? [
            `${home.length} of ${view.checkpoints.length} checkpoints are here, ${formatBytes(home.reduce((sum, { bytes }) => sum + bytes, 0))}.`,
          ]
        : []),
    ],
  };
}

/** Numbers are told at most this often: a screen reader reads everything that changes. */
const laterMs = 10_000;

/** What is told now: it changes at once for what matters, and every ten seconds for numbers. */
export class Speech {
  #now = '';
  #text = '';
  #saidAt = 0;

  text(dashboard: Dashboard): string {
    const time = dashboard.clock.monotonic();
    const { now, later } = spokenScreen(dashboard);
    const urgent = now.join('\n');
    if (urgent !== this.#now || time - this.#saidAt >= laterMs) {
      const text = [...now, ...later].join('\n');
      if (text !== this.#text) this.#saidAt = time;
      this.#now = urgent;
      this.#text = text;
    }
    return this.#text;
  }
}
