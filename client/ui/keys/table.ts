import type { RunUiCommand } from '../state/run-ui.ts';

/**
 * Every key of the dashboard, once: what it is matched with, what the help says and what the footer
 * shows all come from here.
 */

/** Where a key means something. */
export type Context = 'everywhere' | 'run' | 'home' | 'form' | 'choice' | 'help';

export type Command =
  | RunUiCommand
  | 'app.help'
  | 'app.redraw'
  | 'app.interrupt'
  | 'app.back'
  | 'app.quit'
  | 'run.detach'
  | 'run.home'
  | 'run.stop'
  | 'run.pauseOrResume'
  | 'run.patience'
  | 'run.epochs'
  | 'run.freeze'
  | 'run.download'
  | 'home.next'
  | 'home.previous'
  | 'home.open'
  | 'home.pair'
  | 'home.startWorker'
  | 'home.stopWorker'
  | 'home.forgetWorker'
  | 'home.refresh'
  | 'home.recipes'
  | 'home.runs'
  | 'home.workers'
  | 'field.next'
  | 'field.previous'
  | 'field.earlierValue'
  | 'field.laterValue'
  | 'field.erase'
  | 'field.clear'
  | 'form.submit'
  | 'choice.next'
  | 'choice.previous'
  | 'choice.take';

export interface Binding {
  readonly command: Command;
  /** Names as `keyName` gives them. The first is the one that help and footer show. */
  readonly keys: readonly string[];
  readonly contexts: readonly Context[];
  readonly group: string;
  /** For the help. */
  readonly description: string;
  /** One or two words for the footer; absent: not in the footer. */
  readonly hint?: string;
}

export const bindings: readonly Binding[] = [
  {
    command: 'run.pauseOrResume',
    keys: ['space'],
    contexts: ['run'],
    group: 'The run',
    description: 'pause training, or go on; resume a run that ended early',
    hint: 'pause',
  },
  {
    command: 'run.stop',
    keys: ['S'],
    contexts: ['run'],
    group: 'The run',
    description: 'stop: after this epoch or now; both leave a checkpoint',
    hint: 'stop',
  },
  {
    command: 'run.patience',
    keys: ['p'],
    contexts: ['run'],
    group: 'The run',
    description: 'change the patience of early stopping',
    hint: 'patience',
  },
  {
    command: 'run.epochs',
    keys: ['e'],
    contexts: ['run'],
    group: 'The run',
    description: 'change the number of epochs',
    hint: 'epochs',
  },
  {
    command: 'run.download',
    keys: ['D'],
    contexts: ['run'],
    group: 'The run',
    description: 'bring the chosen checkpoint home now',
  },
  {
    command: 'run.detach',
    keys: ['q'],
    contexts: ['run'],
    group: 'The run',
    description: 'leave; the run goes on, "teletrain attach" finds it again',
    hint: 'detach',
  },
  {
    command: 'run.home',
    keys: ['r'],
    contexts: ['run'],
    group: 'The run',
    description: 'recipes, workers and other runs; this run goes on',
    hint: 'home',
  },

  {
    command: 'pane.next',
    keys: ['tab'],
    contexts: ['run'],
    group: 'Panes',
    description: 'next pane',
    hint: 'pane',
  },
  {
    command: 'pane.previous',
    keys: ['shift+tab'],
    contexts: ['run'],
    group: 'Panes',
    description: 'previous pane',
  },
  { command: 'pane.chart', keys: ['1'], contexts: ['run'], group: 'Panes', description: 'chart' },
  {
    command: 'pane.samples',
    keys: ['2'],
    contexts: ['run'],
    group: 'Panes',
    description: 'samples',
  },
  { command: 'pane.epochs', keys: ['3'], contexts: ['run'], group: 'Panes', description: 'epochs' },
  {
    command: 'pane.checkpoints',
    keys: ['4'],
    contexts: ['run'],
    group: 'Panes',
    description: 'checkpoints',
  },
  {
    command: 'pane.system',
    keys: ['5'],
    contexts: ['run'],
    group: 'Panes',
    description: 'engine, memory, CPU and GPU',
  },
  { command: 'pane.log', keys: ['6'], contexts: ['run'], group: 'Panes', description: 'log' },
  {
    command: 'pane.zoom',
    keys: ['z'],
    contexts: ['run'],
    group: 'Panes',
    description: 'the focused pane alone, full screen, and back',
    hint: 'zoom',
  },
  {
    command: 'list.up',
    keys: ['up', 'k'],
    contexts: ['run', 'help'],
    group: 'Panes',
    description: 'scroll or choose upwards',
  },
  {
    command: 'list.down',
    keys: ['down', 'j'],
    contexts: ['run', 'help'],
    group: 'Panes',
    description: 'scroll or choose downwards',
  },
  {
    command: 'list.pageUp',
    keys: ['pageup'],
    contexts: ['run', 'help'],
    group: 'Panes',
    description: 'ten lines up',
  },
  {
    command: 'list.pageDown',
    keys: ['pagedown'],
    contexts: ['run', 'help'],
    group: 'Panes',
    description: 'ten lines down',
  },
  {
    command: 'list.first',
    keys: ['home'],
    contexts: ['run'],
    group: 'Panes',
    description: 'the oldest',
  },
  {
    command: 'list.last',
    keys: ['end'],
    contexts: ['run'],
    group: 'Panes',
    description: 'the newest; follow it',
  },

  {
    command: 'chart.previousMetric',
    keys: ['left'],
    contexts: ['run'],
    group: 'Chart',
    description: 'previous metric',
  },
  {
    command: 'chart.nextMetric',
    keys: ['right'],
    contexts: ['run'],
    group: 'Chart',
    description: 'next metric',
    hint: 'metric',
  },
  {
    command: 'chart.smoother',
    keys: ['+', '='],
    contexts: ['run'],
    group: 'Chart',
    description: 'smooth more; the measured curve stays behind',
  },
  {
    command: 'chart.rougher',
    keys: ['-'],
    contexts: ['run'],
    group: 'Chart',
    description: 'smooth less',
  },
  {
    command: 'chart.unsmoothed',
    keys: ['0'],
    contexts: ['run'],
    group: 'Chart',
    description: 'no smoothing',
  },
  {
    command: 'chart.logarithmic',
    keys: ['y'],
    contexts: ['run'],
    group: 'Chart',
    description: 'logarithmic or linear values',
    hint: 'log y',
  },
  {
    command: 'chart.robust',
    keys: ['o'],
    contexts: ['run'],
    group: 'Chart',
    description: 'leave the outermost hundredth of the values off the axis, or not',
    hint: 'outliers',
  },
  {
    command: 'sample.earlier',
    keys: ['['],
    contexts: ['run'],
    group: 'Samples',
    description: 'pictures of an earlier step',
  },
  {
    command: 'sample.later',
    keys: [']'],
    contexts: ['run'],
    group: 'Samples',
    description: 'pictures of a later step; the newest are followed',
    hint: 'step',
  },

  {
    command: 'run.freeze',
    keys: ['f'],
    contexts: ['run'],
    group: 'Screen',
    description: 'freeze the display; data keeps coming',
    hint: 'freeze',
  },

  {
    command: 'home.next',
    keys: ['down', 'j'],
    contexts: ['home'],
    group: 'Home',
    description: 'next entry',
  },
  {
    command: 'home.previous',
    keys: ['up', 'k'],
    contexts: ['home'],
    group: 'Home',
    description: 'previous entry',
  },
  {
    command: 'home.open',
    keys: ['return'],
    contexts: ['home'],
    group: 'Home',
    description: 'set up the chosen recipe, or open the chosen run or worker',
    hint: 'open',
  },
  {
    command: 'pane.next',
    keys: ['tab', 'right'],
    contexts: ['home'],
    group: 'Home',
    description: 'next list',
    hint: 'list',
  },
  {
    command: 'pane.previous',
    keys: ['shift+tab', 'left'],
    contexts: ['home'],
    group: 'Home',
    description: 'previous list',
  },
  {
    command: 'home.recipes',
    keys: ['1'],
    contexts: ['home'],
    group: 'Home',
    description: 'recipes',
  },
  { command: 'home.runs', keys: ['2'], contexts: ['home'], group: 'Home', description: 'runs' },
  {
    command: 'home.workers',
    keys: ['3'],
    contexts: ['home'],
    group: 'Home',
    description: 'workers',
  },
  {
    command: 'home.pair',
    keys: ['c'],
    contexts: ['home'],
    group: 'Home',
    description: 'connect to a worker by its address and one-time code',
    hint: 'connect',
  },
  {
    command: 'home.startWorker',
    keys: ['w'],
    contexts: ['home'],
    group: 'Home',
    description: 'start the worker of this machine',
    hint: 'worker',
  },
  {
    command: 'home.stopWorker',
    keys: ['X'],
    contexts: ['home'],
    group: 'Home',
    description: 'stop the chosen worker',
  },
  {
    command: 'home.forgetWorker',
    keys: ['F'],
    contexts: ['home'],
    group: 'Home',
    description: 'forget the chosen worker',
  },
  {
    command: 'home.refresh',
    keys: ['R'],
    contexts: ['home'],
    group: 'Home',
    description: 'read runs and workers again',
  },
  {
    command: 'app.quit',
    keys: ['q'],
    contexts: ['home'],
    group: 'Home',
    description: 'leave; what trains goes on',
    hint: 'quit',
  },

  {
    command: 'field.next',
    keys: ['down', 'tab'],
    contexts: ['form'],
    group: 'Forms',
    description: 'next field',
    hint: 'field',
  },
  {
    command: 'field.previous',
    keys: ['up', 'shift+tab'],
    contexts: ['form'],
    group: 'Forms',
    description: 'previous field',
  },
  {
    command: 'field.earlierValue',
    keys: ['left'],
    contexts: ['form'],
    group: 'Forms',
    description: 'previous value of a choice',
  },
  {
    command: 'field.laterValue',
    keys: ['right'],
    contexts: ['form'],
    group: 'Forms',
    description: 'next value of a choice',
    hint: 'change',
  },
  {
    command: 'field.erase',
    keys: ['backspace', 'delete'],
    contexts: ['form'],
    group: 'Forms',
    description: 'erase a character',
  },
  {
    command: 'field.clear',
    keys: ['ctrl+u'],
    contexts: ['form'],
    group: 'Forms',
    description: 'erase the field',
  },
  {
    command: 'form.submit',
    keys: ['return'],
    contexts: ['form'],
    group: 'Forms',
    description: 'do it',
    hint: 'start',
  },

  {
    command: 'choice.next',
    keys: ['down', 'tab', 'right', 'j'],
    contexts: ['choice'],
    group: 'Dialogs',
    description: 'next answer',
  },
  {
    command: 'choice.previous',
    keys: ['up', 'shift+tab', 'left', 'k'],
    contexts: ['choice'],
    group: 'Dialogs',
    description: 'previous answer',
  },
  {
    command: 'choice.take',
    keys: ['return', 'space'],
    contexts: ['choice'],
    group: 'Dialogs',
    description: 'take the answer',
    hint: 'take',
  },

  {
    command: 'app.help',
    keys: ['?'],
    contexts: ['run', 'home', 'choice', 'help'],
    group: 'Everywhere',
    description: 'this help',
    hint: 'help',
  },
  {
    command: 'app.back',
    keys: ['escape'],
    contexts: ['everywhere'],
    group: 'Everywhere',
    description: 'back out one level',
    hint: 'back',
  },
  {
    command: 'app.redraw',
    keys: ['ctrl+l'],
    contexts: ['everywhere'],
    group: 'Everywhere',
    description: 'draw the screen anew',
  },
  {
    command: 'app.interrupt',
    keys: ['ctrl+c'],
    contexts: ['everywhere'],
    group: 'Everywhere',
    description: 'first: ask what to do; again: leave, the run goes on',
  },
];

/** What `key` means here: in the first of `contexts` that knows it, else everywhere. */
export function commandOf(key: string, contexts: readonly Context[]): Command | undefined {
  for (const context of [...contexts, 'everywhere'] as const) {
    const binding = bindings.find(
      ({ keys, contexts: places }) => places.includes(context) && keys.includes(key),
    );
    if (binding) return binding.command;
  }
  return undefined;
}

const shownNames: Readonly<Record<string, string>> = {
  space: 'Space',
  tab: 'Tab',
  'shift+tab': 'Shift-Tab',
  return: 'Enter',
  escape: 'Esc',
  left: '←',
  right: '→',
  up: '↑',
  down: '↓',
  pageup: 'PgUp',
  pagedown: 'PgDn',
  home: 'Home',
  end: 'End',
  backspace: 'Backspace',
  delete: 'Delete',
};
const asciiNames: Readonly<Record<string, string>> = {
  left: 'Left',
  right: 'Right',
  up: 'Up',
  down: 'Down',
};

/** A key as people call it: `Space`, `Ctrl-L`, `S`. */
export function shownKey(key: string, unicode: boolean): string {
  const name = (unicode ? undefined : asciiNames[key]) ?? shownNames[key];
  if (name) return name;
  return key.startsWith('ctrl+') ? `Ctrl-${key.slice(5).toUpperCase()}` : key;
}
