import { type ExitCode, exitCodes } from '../../../shared/errors.ts';
import { isFinal } from '../../../shared/events.ts';
import { recipeNames } from '../../../shared/recipes.ts';
import type { RunHandle, StartOptions, TeletrainClient } from '../../session/types.ts';
import { type Command, type Context, commandOf } from '../keys/table.ts';
import type { StyleName } from '../style/theme.ts';
import type { Answer, Dialog } from './dialog.ts';
import { editForm, type FormEdit, firstError } from './form.ts';
import { type HomeState, homeLists, initialHome, loadHome, moveChosen, turnList } from './home.ts';
import { checkPairingForm, pairingForm, pairingOf } from './pairing-form.ts';
import { type Problem, problemOf } from './problem.ts';
import { checkRecipeForm, type RecipeForm, recipeForm, startOf } from './recipe-form.ts';
import { batchesOf, RunCurves } from './run-curves.ts';
import * as runDialogs from './run-dialogs.ts';
import { RunFeed } from './run-feed.ts';
import {
  changeRunUi,
  initialRunUi,
  panes,
  type RunReach,
  type RunUi,
  type RunUiCommand,
} from './run-ui.ts';

export type Screen =
  | { readonly kind: 'home' }
  | { readonly kind: 'start'; readonly form: RecipeForm }
  | { readonly kind: 'run'; readonly feed: RunFeed; readonly curves: RunCurves };

/** A word on what a key just did, in place of the key hints until the next key. */
export interface Notice {
  readonly text: string;
  readonly style: StyleName;
}

export interface DashboardOptions {
  readonly dataDir?: string;
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
  notice: Notice | undefined;
  /** An error that stays until Esc. */
  problem: Problem | undefined;
  /** Set by an error that is the program's own fault: it is thrown by whoever runs the dashboard. */
  crashed: unknown;
  readonly client: TeletrainClient;
  readonly #options: DashboardOptions;
  readonly #listeners = new Set<() => void>();
  #version = 0;
  #interrupts = 0;
  #left = false;

  constructor(client: TeletrainClient, options: DashboardOptions) {
    this.client = client;
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
    this.#do(
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
      feed: new RunFeed(handle, () => this.changed()),
      curves: new RunCurves(),
    };
    this.dialog = undefined;
    this.changed();
  }

  /** Opens a run of this machine by its name, live when its worker can be reached. */
  openRun(id: string): void {
    this.#waitFor('Opening the run', { message: `looking for ${id}` }, async (signal) =>
      this.showRun(await this.client.openRun(id, { signal })),
    );
  }

  startRun(options: StartOptions): void {
    this.#waitFor(
      'Starting the run',
      { message: 'asking the worker' },
      async (signal, onProgress) => {
        const dataDir = this.#options.dataDir;
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
    this.#waitFor(
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

  startLocalWorker(): void {
    const { dataDir } = this.#options;
    this.#waitFor(
      'Starting the worker of this machine',
      { message: 'looking for an engine' },
      async (signal, onProgress) => {
        const worker = await this.client.ensureLocalWorker({
          ...(dataDir === undefined ? {} : { dataDir }),
          signal,
          onProgress,
        });
        this.notice = { text: `${worker.name} is there.`, style: 'good' };
        this.refreshHome();
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
    if (this.screen.kind === 'run') this.screen.feed.close();
    this.#listeners.clear();
  }

  /** One key, by its name in the key table; text from a paste comes by `paste`. */
  press(key: string): void {
    this.notice = undefined;
    const command = commandOf(key, [this.context]);
    if (command !== 'app.interrupt') this.#interrupts = 0;
    if (!this.#answerByKey(key)) {
      if (this.context === 'form') this.#pressInForm(key, command);
      else if (command) this.#perform(command);
    }
    this.changed();
  }

  paste(text: string): void {
    if (this.context !== 'form') return;
    this.#edit({ kind: 'type', text });
    this.changed();
  }

  #answerByKey(key: string): boolean {
    const answer =
      this.dialog?.kind === 'choice' && this.help === undefined
        ? this.dialog.answers.find((item) => item.key === key)
        : undefined;
    if (answer) this.#take(answer);
    return answer !== undefined;
  }

  #take(answer: Answer): void {
    this.dialog = undefined;
    answer.take();
  }

  #pressInForm(key: string, command: Command | undefined): void {
    // A single character is text here, whatever it means elsewhere.
    if (key.length === 1 || key === 'space') {
      this.#edit({ kind: 'type', text: key === 'space' ? ' ' : key });
      return;
    }
    const edits: Partial<Record<Command, FormEdit>> = {
      'field.next': { kind: 'move', by: 1 },
      'field.previous': { kind: 'move', by: -1 },
      'field.earlierValue': { kind: 'turn', by: -1 },
      'field.laterValue': { kind: 'turn', by: 1 },
      'field.erase': { kind: 'erase' },
      'field.clear': { kind: 'clear' },
    };
    const edit = command && edits[command];
    if (edit) this.#edit(edit);
    else if (command === 'form.submit') this.#submit();
    else if (command) this.#perform(command);
  }

  #edit(edit: FormEdit): void {
    if (this.dialog?.kind === 'form') {
      const { form, check } = this.dialog;
      this.dialog = { ...this.dialog, form: check(editForm(form, edit)) };
    } else if (this.screen.kind === 'start') {
      const { form } = this.screen;
      const edited: RecipeForm = { ...editForm(form, edit), recipe: form.recipe };
      this.screen = { kind: 'start', form: checkRecipeForm(edited, form) };
    }
  }

  #submit(): void {
    const form =
      this.dialog?.kind === 'form'
        ? this.dialog.form
        : this.screen.kind === 'start'
          ? this.screen.form
          : undefined;
    if (!form) return;
    const wrong = firstError(form);
    if (wrong) {
      this.notice = { text: `${wrong.label}: ${wrong.error}`, style: 'bad' };
      this.#edit({ kind: 'move', by: form.fields.indexOf(wrong) - form.focus });
      return;
    }
    if (this.dialog?.kind === 'form') {
      const { submit } = this.dialog;
      this.dialog = undefined;
      submit(form);
    } else if (this.screen.kind === 'start') this.startRun(startOf(this.screen.form));
  }

  #perform(command: Command): void {
    if (command.startsWith('app.')) this.#performApp(command);
    else if (this.help !== undefined) this.#scrollHelp(command);
    else if (this.dialog) this.#performInDialog(command);
    else if (this.screen.kind === 'home') this.#performAtHome(command);
    else if (this.screen.kind === 'run') this.#performInRun(command, this.screen.feed);
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
        this.#runActions(run),
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

  #performInDialog(command: Command): void {
    if (this.dialog?.kind !== 'choice') return;
    const { answers, chosen } = this.dialog;
    const by = command === 'choice.next' ? 1 : command === 'choice.previous' ? -1 : 0;
    if (by !== 0)
      this.dialog = { ...this.dialog, chosen: (chosen + by + answers.length) % answers.length };
    const answer = answers[chosen];
    if (command === 'choice.take' && answer) this.#take(answer);
  }

  #performAtHome(command: Command): void {
    const { home } = this;
    switch (command) {
      case 'home.next':
        this.home = moveChosen(home, 1);
        return;
      case 'home.previous':
        this.home = moveChosen(home, -1);
        return;
      case 'pane.next':
        this.home = turnList(home, 1);
        return;
      case 'pane.previous':
        this.home = turnList(home, -1);
        return;
      case 'home.recipes':
      case 'home.runs':
      case 'home.workers':
        this.home = {
          ...home,
          list: homeLists.find((list) => command === `home.${list}`) ?? 'recipes',
        };
        return;
      case 'home.refresh':
        this.refreshHome();
        return;
      case 'home.startWorker':
        this.startLocalWorker();
        return;
      case 'home.pair':
        this.#pair();
        return;
      case 'home.open':
        this.#openChosen();
        return;
      case 'home.stopWorker':
      case 'home.forgetWorker':
        this.#endWorker(command === 'home.stopWorker' ? 'stop' : 'forget');
        return;
    }
  }

  #openChosen(): void {
    const { list, chosen, runs, workers } = this.home;
    const at = chosen[list];
    const others = (workers ?? []).filter(({ local }) => !local).map(({ name }) => name);
    if (list === 'recipes') {
      const recipe = recipeNames[at];
      if (recipe) this.screen = { kind: 'start', form: recipeForm(recipe, others) };
    } else if (list === 'runs') {
      const run = runs?.[at];
      if (run) this.openRun(run.record.id);
    } else {
      const worker = workers?.[at];
      const recipe = recipeNames[chosen.recipes];
      if (!worker) this.#pair();
      else if (recipe)
        this.screen = { kind: 'start', form: recipeForm(recipe, others, { worker: worker.name }) };
    }
  }

  #pair(): void {
    const form = pairingForm();
    this.dialog = {
      kind: 'form',
      title: 'Connect to a worker',
      lines: [
        '"teletrain worker", or the notebook in Colab, prints an address and a one-time code.',
      ],
      // Not checked while it is empty: nobody likes to be told off for what was not typed yet.
      form,
      check: checkPairingForm,
      submit: (filled) => {
        const { url, code, name } = pairingOf(filled);
        if (firstError(checkPairingForm(filled))) {
          this.dialog = { ...this.#pairDialog(), form: checkPairingForm(filled) };
          return;
        }
        this.#waitFor('Connecting', { message: url }, async (signal) => {
          const worker = await this.client.connectWorker(url, {
            code,
            ...(name === undefined ? {} : { name }),
            signal,
          });
          this.notice = { text: `Connected with ${worker.name}.`, style: 'good' };
          this.home = { ...this.home, list: 'workers' };
          this.refreshHome();
        });
      },
    };
  }

  #pairDialog(): Extract<Dialog, { kind: 'form' }> {
    this.#pair();
    if (this.dialog?.kind !== 'form') throw new Error('pairing opens a form');
    return this.dialog;
  }

  #endWorker(how: 'stop' | 'forget'): void {
    const worker =
      this.home.list === 'workers' ? this.home.workers?.[this.home.chosen.workers] : undefined;
    if (!worker) {
      this.notice = { text: 'Choose a worker first (key 3).', style: 'warning' };
      return;
    }
    const take = () =>
      this.#do(
        (async () => {
          await (how === 'stop'
            ? this.client.stopWorker(worker.name)
            : this.client.forgetWorker(worker.name));
          this.notice = {
            text: how === 'stop' ? `${worker.name} is stopped.` : `${worker.name} is forgotten.`,
            style: 'good',
          };
          this.refreshHome();
        })(),
      );
    const lines =
      how === 'stop'
        ? ['A run that trains there leaves a checkpoint first.']
        : ['Its token is removed here; connecting again needs a new code.'];
    this.dialog = {
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

  #performInRun(command: Command, feed: RunFeed): void {
    const { handle } = feed;
    const actions = this.#runActions(handle);
    switch (command) {
      case 'run.detach':
        this.leave();
        return;
      case 'run.home':
        this.showHome();
        return;
      case 'run.freeze':
        feed.toggleFrozen();
        return;
      case 'run.pauseOrResume':
        this.#pauseOrResume(handle);
        return;
      case 'run.stop':
        if (this.#canCommand(handle)) this.dialog = runDialogs.stopDialog(handle, actions);
        return;
      case 'run.patience':
        if (this.#canCommand(handle))
          this.dialog = runDialogs.numberDialog('patience', handle, actions);
        return;
      case 'run.epochs':
        if (this.#canCommand(handle))
          this.dialog = runDialogs.numberDialog('epochs', handle, actions);
        return;
      case 'run.download':
        this.#download(handle);
        return;
      default:
        this.ui = changeRunUi(this.ui, command as RunUiCommand, this.#reach(feed)); // the other run commands are handled above
    }
  }

  #runActions(handle: RunHandle): runDialogs.RunActions {
    return {
      ask: (said, work) => this.#ask(said, work),
      leave: () => this.leave(),
      resume: (on) => this.resumeRun(handle.id, on),
    };
  }

  /** Whether a command can reach the run; says why not. */
  #canCommand({ view }: RunHandle): boolean {
    if (isFinal(view.state))
      this.notice = { text: `The run is over (${view.state}).`, style: 'warning' };
    else if (view.connection.kind === 'offline')
      this.notice = { text: 'Seen from disk: its worker cannot be reached.', style: 'warning' };
    else if (view.connection.kind !== 'connected')
      this.notice = {
        text: 'The worker cannot be reached now; the run goes on.',
        style: 'warning',
      };
    else return true;
    return false;
  }

  #pauseOrResume(handle: RunHandle): void {
    const { view } = handle;
    if (view.state === 'done')
      this.notice = {
        text: 'The run is done. More epochs: start it again with more.',
        style: 'warning',
      };
    else if (isFinal(view.state)) this.#do(this.#offerResume(handle));
    else if (this.#canCommand(handle)) {
      if (view.state === 'paused' || view.pending === 'pausing')
        this.#ask('Asked to go on.', () => handle.resume());
      else this.#ask('Asked to pause; it takes effect after this step.', () => handle.pause());
    }
  }

  async #offerResume(handle: RunHandle): Promise<void> {
    const workers = await this.client.workers();
    this.dialog = runDialogs.resumeDialog(handle, workers, this.#runActions(handle));
    this.changed();
  }

  #download(handle: RunHandle): void {
    const checkpoint = [...handle.view.checkpoints].reverse()[this.ui.checkpoint];
    if (!checkpoint) this.notice = { text: 'There is no checkpoint yet.', style: 'warning' };
    else if (checkpoint.home.state === 'verified')
      this.notice = { text: `It is here: ${checkpoint.home.directory}`, style: 'good' };
    else {
      this.ui = { ...this.ui, pane: 'checkpoints' };
      this.#ask(`Bringing ${checkpoint.id} home.`, async () => {
        const directory = await handle.download(checkpoint.id);
        this.notice = { text: `Here and verified: ${directory}`, style: 'good' };
      });
    }
  }

  #reach({ view }: RunFeed): RunReach {
    const names = new Set(
      [...view.series.values()].filter(({ length }) => length > 0).map(({ name }) => name),
    );
    const sample = view.samples[view.samples.length - 1 - this.ui.sampleBack];
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

  #leaveRun(): void {
    if (this.screen.kind !== 'run') return;
    const { feed } = this.screen;
    feed.close();
    this.#do(feed.handle.close());
  }

  /** Sends one command to the worker, says so, and says if it cannot be done. */
  #ask(said: string, work: () => Promise<void>): void {
    this.notice = { text: said, style: 'accent' };
    this.#do(work());
  }

  /** Something that takes time and can be cancelled, with its progress over the screen. */
  #waitFor(
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
    this.#do(
      work(controller.signal, show)
        .catch((error: unknown) => {
          // What was cancelled has nothing more to say.
          if (!controller.signal.aborted) throw error;
        })
        .finally(close),
    );
  }

  /** Lets something run by itself; an error that a user can meet is shown, any other ends the program. */
  #do(work: Promise<void>): void {
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
