import { withEscapedControl, withoutControl } from '../../shared/terminal-control.ts';

/** The part of a stream that printing needs; `process.stdout` is one. */
export interface TextSink {
  write(text: string): unknown;
}

/**
 * Where a command prints. Results go to standard output, all else (progress, notices) to standard
 * error, so that a pipe gets results only. With `--json` standard output holds JSON and nothing else.
 */
export class Output {
  readonly json: boolean;
  readonly #results: TextSink;
  readonly #notices: TextSink;
  #lastProgress = '';

  constructor(options: { json: boolean; results?: TextSink; notices?: TextSink }) {
    this.json = options.json;
    this.#results = options.results ?? process.stdout;
    this.#notices = options.notices ?? process.stderr;
  }

  /** A line of the result, for people. */
  line(text = ''): void {
    this.#results.write(`${withoutControl(text)}\n`);
  }

  /** The one JSON document that is a command's result. */
  document(value: unknown): void {
    this.#results.write(`${json(value, 2)}\n`);
  }

  /** One line of NDJSON. */
  record(value: unknown): void {
    this.#results.write(`${json(value)}\n`);
  }

  /** A line that is no result: what is being done, what to do next. */
  notice(text: string): void {
    this.#notices.write(`${withoutControl(text)}\n`);
  }

  /** A notice that comes often; said again only when its text changed. */
  progress(text: string): void {
    if (text === this.#lastProgress) return;
    this.#lastProgress = text;
    this.notice(text);
  }
}

/** The same value whoever reads it. */
const json = (value: unknown, space?: number): string =>
  withEscapedControl(JSON.stringify(value, finiteOrNamed, space));

/** JSON has no NaN and no infinity: they become their names, as in the events. */
function finiteOrNamed(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
