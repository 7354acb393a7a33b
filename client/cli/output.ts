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
    this.#results.write(`${withoutEscapes(text)}\n`);
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
    this.#notices.write(`${withoutEscapes(text)}\n`);
  }

  /** A notice that comes often; said again only when its text changed. */
  progress(text: string): void {
    if (text === this.#lastProgress) return;
    this.#lastProgress = text;
    this.notice(text);
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const escapes = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/**
 * A terminal obeys what it reads, and much of what is printed came from a worker: logs, names,
 * errors. No command prints an escape sequence of its own.
 */
const withoutEscapes = (text: string): string => text.replace(escapes, '\u00b7');

/** The same value whoever reads it, and nothing that a terminal obeys: JSON itself escapes but a part of that. */
function json(value: unknown, space?: number): string {
  const escaped = (character: string) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, finiteOrNamed, space).replace(escapes, escaped);
}

/** JSON has no NaN and no infinity: they become their names, as in the events. */
function finiteOrNamed(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
