import type { ConnectionState, RunView } from '../session/types.ts';
import type { Output } from './output.ts';
import { epochLine, headerLine } from './run-text.ts';

/**
 * Prints what is new in a run each time it is shown its view: results (its header, ended epochs) to
 * standard output, what happens to it (log, connection, state) to standard error.
 */
export class RunPrinter {
  readonly #output: Output;
  #header = '';
  #lastEpochSeq = 0;
  #lastLog: RunView['log'][number] | undefined;
  #state = '';
  #connection = '';

  constructor(output: Output) {
    this.#output = output;
  }

  print(view: RunView): void {
    this.#printHeader(view);
    this.#printLog(view);
    for (const epoch of view.epochsDone) {
      if (epoch.seq <= this.#lastEpochSeq) continue;
      this.#lastEpochSeq = epoch.seq;
      this.#output.line(epochLine(view, epoch));
    }
    this.#printConnection(view.connection);
    this.#printState(view);
  }

  /** Again after a restart, if another engine computes now. */
  #printHeader(view: RunView): void {
    const header = headerLine(view);
    if (header === '' || header === this.#header) return;
    this.#header = header;
    this.#output.line(header);
    for (const difference of view.differs)
      this.#output.notice(`differs from before: ${difference}`);
  }

  #printLog(view: RunView): void {
    const { log } = view;
    const seen = this.#lastLog === undefined ? -1 : log.lastIndexOf(this.#lastLog);
    for (const { level, message } of log.slice(seen + 1)) {
      // A failed run's last words are printed at its end.
      if (level !== 'info' && message !== view.stateMessage)
        this.#output.notice(`${level}: ${message}`);
    }
    this.#lastLog = log.at(-1);
  }

  #printConnection(connection: ConnectionState): void {
    const before = this.#connection;
    if (connection.kind === 'connecting' || connection.kind === before) return;
    this.#connection = connection.kind;
    if (connection.kind === 'waiting') {
      this.#output.notice(`The worker cannot be reached (${connection.reason}); trying again.`);
    } else if (connection.kind === 'connected' && before === 'waiting') {
      this.#output.notice(
        connection.restarted ? 'Connected again; the worker was started anew.' : 'Connected again.',
      );
    }
  }

  #printState(view: RunView): void {
    const state = `${view.state} ${view.stateMessage ?? ''}`;
    if (state === this.#state) return;
    this.#state = state;
    if (view.state === 'paused') {
      this.#output.notice(
        `Paused at step ${view.step}; go on with "teletrain resume ${view.record.id}".`,
      );
    } else if (view.state === 'recovering') {
      this.#output.notice(
        view.stateMessage ?? 'The engine ended; going on from the last checkpoint.',
      );
    }
  }
}
