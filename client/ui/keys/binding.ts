import type { RunUiCommand } from '../state/run-ui.ts';

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
