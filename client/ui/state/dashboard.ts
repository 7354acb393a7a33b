import { type Clock, systemClock } from '../../../shared/clock.ts';
import { type ExitCode, exitCodes } from '../../../shared/errors.ts';
import { isFinal } from '../../../shared/events.ts';
import type { RunHandle, StartOptions, TeletrainClient } from '../../session/types.ts';
import type { Command, Context } from '../keys/binding.ts';
import { commandOf } from '../keys/table.ts';
import type { Dialog } from './dialog.ts';
import { answerByKey, performInDialog } from './dialog-commands.ts';
import { editShownForm, performInForm } from './form-commands.ts';
import { type HomeState, initialHome, loadHome } from './home.ts';
import { performAtHome } from './home-commands.ts';
import { CurrentNotice, type Notice } from './notice.ts';
import { type Problem, problemOf } from './problem.ts';
import type { RecipeForm } from './recipe-form.ts';
import { performInRun, runActions } from './run-commands.ts';
import { RunCurves } from './run-curves.ts';
import * as runDialogs from './run-dialogs.ts';
import { RunFeed } from './run-feed.ts';
import { initialRunUi, type RunUi } from './run-ui.ts';

export type Screen =
  | { readonly kind: 'home' }
  | { readonly kind: 'start'; readonly form: RecipeForm }
  | { readonly kind: 'run'; readonly feed: RunFeed; readonly curves: RunCurves };

export interface DashboardOptions {
  readonly dataDir?: string;
  /** That of the client, whose times are shown. @default the machine's */
  readonly clock?: Clock;
  /** Called with the exit code when the user leaves. */
  readonly onLeave: (code: ExitCode) => void;
  /** The whole screen is to be written again. */
  readonly onRedraw: () => void;
}

/**
 * The dashboard without its drawing: what is on the screen, what keys do to it, and what they ask
 * of the client. Whoever draws subscribes and reads the public fields.
 */
export class Dashboard {
  screen: Screen = { kind: 'home' };
  home: HomeState = initialHome;
  ui: RunUi = initialRunUi;
  dialog: Dialog | undefined;
  /** Lines that the help is scrolled; undefined while it is closed. */
  help: number | undefined;
  /** An error that stays until Esc. */
  problem: Problem | undefined;
  /** Set by an error that is the program's own fault: it is thrown by whoever runs the dashboard. */
  crashed: unknown;
  readonly client: TeletrainClient;
  readonly clock: Clock;
  readonly #options: DashboardOptions;
  readonly #listeners = new Set<() => void>();
  readonly #notice = new CurrentNotice(() => this.changed());
  #version = 0;
  #interrupts = 0;
  #left = false;
  readonly #closing = new AbortController();

  constructor(client: TeletrainClient, options: DashboardOptions) {
    this.client = client;
    this.clock = options.clock ?? systemClock;
    this.#options = options;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly version = (): number => this.#version;

  /** Tells who draws that something is different. */
  changed(): void {
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }

  /** In place of the key hints, until the next key or for a few seconds. */
  get notice(): Notice | undefined {
    return this.#notice.shown;
  }
  set notice(notice: Notice | undefined) {
    this.#notice.show(notice);
  }

  /** The folder of data sets for a worker that is started on this machine. */
  get dataDir(): string | undefined {
    return this.#options.dataDir;
  }

  /** Aborts when the dashboard is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** The keys that mean something now, the innermost first. */
  get context(): Context {
    if (this.help !== undefined) return 'help';
    if (this.dialog) return this.dialog.kind === 'form' ? 'form' : 'choice';
    if (this.screen.kind === 'start') return 'form';
    return this.screen.kind;
  }

  /** The same, behind the help: what the help is about. */
  get keyContext(): Context {
    return this.screen.kind === 'start' ? 'form' : this.screen.kind;
  }

  showHome(): void {
    this.#leaveRun();
    this.screen = { kind: 'home' };
    this.changed();
    this.refreshHome();
  }

  refreshHome(): void {
    this.attempt(
      loadHome(this.client, (update) => {
        this.home = update(this.home);
        this.changed();
      }),
    );
  }

  showRun(handle: RunHandle): void {
    this.#leaveRun();
    this.ui = {
      ...initialRunUi,
      ...(this.ui.smoothing === undefined ? {} : { smoothing: this.ui.smoothing }),
    };
    this.screen = {
      kind: 'run',
      feed: new RunFeed(handle, () => this.changed(), this.clock),
      curves: new RunCurves(),
    };
    this.dialog = undefined;
    this.changed();
  }

  /** Opens a run of this machine by its name, live when its worker can be reached. */
  openRun(id: string): void {
    this.waitFor('Opening the run', { message: `looking for ${id}` }, async (signal) => {
      try {
        this.showRun(await this.client.openRun(id, { signal }));
      } catch (error) {
        // There is nothing behind it yet where the program was started with a run.
        if (this.screen.kind === 'home' && this.home.runs === undefined) this.refreshHome();
        throw error;
      }
    });
  }

  startRun(options: StartOptions): void {
    this.waitFor(
      'Starting the run',
      { message: 'asking the worker' },
      async (signal, onProgress) => {
        const { dataDir } = this;
        this.showRun(
          await this.client.startRun({
            ...options,
            ...(dataDir === undefined || options.on !== undefined ? {} : { dataDir }),
            signal,
            onProgress,
          }),
        );
      },
    );
  }

  resumeRun(id: string, on: string | undefined): void {
    this.waitFor(
      'Resuming the run',
      { message: 'asking the worker' },
      async (signal, onProgress) => {
        this.showRun(
          await this.client.resumeRun(id, {
            ...(on === undefined ? {} : { on }),
            signal,
            onProgress,
          }),
        );
      },
    );
  }

  /** Leaves the dashboard; runs go on. */
  leave(code: ExitCode = this.exitCode): void {
    if (this.#left) return;
    this.#left = true;
    this.#options.onLeave(code);
  }

  /** Of the run on the screen, if it is over; else leaving is nothing bad. */
  get exitCode(): ExitCode {
    const state = this.screen.kind === 'run' ? this.screen.feed.handle.view.state : undefined;
    if (state === 'failed') return exitCodes.failed;
    if (state === 'stopped') return exitCodes.stoppedEarly;
    return state === 'interrupted' ? exitCodes.workerLost : exitCodes.done;
  }

  /** Stops timers and subscriptions. The client and its handles are the caller's. */
  close(): void {
    this.#closing.abort();
    this.notice = undefined;
    if (this.screen.kind === 'run') this.screen.feed.close();
    this.#listeners.clear();
  }

  /** One key, by its name in the key table; text from a paste comes by `paste`. */
  press(key: string): void {
    this.notice = undefined;
    const command = commandOf(key, [this.context]);
    if (command !== 'app.interrupt') this.#interrupts = 0;
    const isDone = answerByKey(this, key) || performInForm(this, key, command);
    if (!isDone && command) this.#perform(command);
    this.changed();
  }

  paste(text: string): void {
    if (this.context !== 'form') return;
    editShownForm(this, { kind: 'type', text });
    this.changed();
  }

  #perform(command: Command): void {
    if (command.startsWith('app.')) this.#performApp(command);
    else if (this.help !== undefined) this.#scrollHelp(command);
    else if (this.dialog) performInDialog(this, command);
    else if (this.screen.kind === 'home') performAtHome(this, command);
    else if (this.screen.kind === 'run') performInRun(this, command, this.screen.feed);
  }

  #performApp(command: Command): void {
    switch (command) {
      case 'app.help':
        this.help = this.help === undefined ? 0 : undefined;
        return;
      case 'app.redraw':
        this.#options.onRedraw();
        return;
      case 'app.quit':
        this.leave();
        return;
      case 'app.back':
        this.#back();
        return;
      case 'app.interrupt':
        this.#interrupts += 1;
        if (this.#interrupts > 1) this.leave(exitCodes.interrupted);
        else this.#interrupted();
        return;
    }
  }

  /** Esc: out of one thing, the innermost. At the outermost it does nothing, it never quits. */
  #back(): void {
    if (this.help !== undefined) this.help = undefined;
    else if (this.dialog?.kind === 'progress') this.dialog.cancel();
    else if (this.dialog) this.dialog = undefined;
    else if (this.problem) this.problem = undefined;
    else if (this.screen.kind === 'start') this.screen = { kind: 'home' };
    else if (this.screen.kind === 'run') {
      if (this.ui.zoomed) this.ui = { ...this.ui, zoomed: false };
      else if (this.screen.feed.frozenChanges !== undefined) this.screen.feed.toggleFrozen();
      else this.showHome();
    }
  }

  #interrupted(): void {
    this.help = undefined;
    const run = this.screen.kind === 'run' ? this.screen.feed.handle : undefined;
    if (run && !isFinal(run.view.state) && run.view.connection.kind !== 'offline') {
      this.dialog = runDialogs.stopDialog(
        run,
        runActions(this, run),
        'Ctrl-C again leaves at once; the run goes on.',
      );
    } else this.notice = { text: 'Ctrl-C again leaves.', style: 'warning' };
  }

  #scrollHelp(command: Command): void {
    const by: Partial<Record<Command, number>> = {
      'list.up': -1,
      'list.down': 1,
      'list.pageUp': -10,
      'list.pageDown': 10,
    };
    this.help = Math.max(0, (this.help ?? 0) + (by[command] ?? 0));
  }

  #leaveRun(): void {
    if (this.screen.kind !== 'run') return;
    const { feed } = this.screen;
    feed.close();
    this.attempt(feed.handle.close());
  }

  /** Sends one command to the worker, says so, and says if it cannot be done. */
  ask(said: string, work: () => Promise<void>): void {
    this.notice = { text: said, style: 'accent' };
    this.attempt(work());
  }

  /** Something that takes time and can be cancelled, with its progress over the screen. */
  waitFor(
    title: string,
    progress: Extract<Dialog, { kind: 'progress' }>['progress'],
    work: (
      signal: AbortSignal,
      onProgress: (progress: Extract<Dialog, { kind: 'progress' }>['progress']) => void,
    ) => Promise<void>,
  ): void {
    const controller = new AbortController();
    const show = (shown: typeof progress) => {
      if (controller.signal.aborted) return;
      this.dialog = { kind: 'progress', title, progress: shown, cancel };
      this.changed();
    };
    const close = () => {
      if (this.dialog?.kind === 'progress' && this.dialog.cancel === cancel)
        this.dialog = undefined;
    };
    const cancel = () => {
      controller.abort();
      close();
    };
    this.problem = undefined;
    show(progress);
    this.attempt(
      work(controller.signal, show)
        .catch((error: unknown) => {
          // What was cancelled has nothing more to say.
          if (!controller.signal.aborted) throw error;
        })
        .finally(close),
    );
  }

  /** Lets something run by itself; an error that a user can meet is shown, any other ends the program. */
  attempt(work: Promise<void>): void {
    work.then(
      () => this.changed(),
      (error: unknown) => {
        try {
          this.problem = problemOf(error);
        } catch {
          this.crashed = error;
          this.leave(exitCodes.failed);
        }
        this.changed();
      },
    );
  }
}
