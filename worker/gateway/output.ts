import type { EngineReport } from '../../shared/engine-report.ts';
import type { TeletrainError } from '../../shared/errors.ts';
import type { RunEvent, RunStatus } from '../../shared/events.ts';
import type { Role } from '../../shared/messages.ts';
import { withEscapedControl, withoutControl } from '../../shared/terminal-control.ts';
import type { TlsIdentity } from './tls.ts';

/** A place that text is written to, e.g. `process.stdout`. */
export interface TextSink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface Listening {
  readonly url: string;
  readonly name: string;
  readonly pid: number;
  readonly version: string;
  /** The pairing code, unless a token file takes its place. */
  readonly code?: string;
  readonly codeExpiresAt?: number;
  /** Of the key, where it speaks TLS; clients need it where nobody else signed the certificate. */
  readonly pin?: string;
  readonly pinNeeded?: boolean;
}

/** What the worker says of itself on its standard output: for a person, or one JSON object a line. */
export class Output {
  readonly #sink: TextSink;
  readonly #json: boolean;
  readonly #isLive: boolean;
  #statusShown = false;

  constructor(sink: TextSink, options: { json: boolean; status: boolean }) {
    this.#sink = sink;
    this.#json = options.json;
    this.#isLive = options.status || (!options.json && sink.isTTY === true);
  }

  /** Whether anybody reads a status line. */
  get isLive(): boolean {
    return this.#isLive;
  }

  progress(message: string): void {
    this.#say({ event: 'progress', message }, withoutControl(message));
  }

  engine(report: EngineReport): void {
    const device =
      report.device === 'gpu' ? `GPU ${report.gpu?.name ?? ''}`.trim() : `CPU ${report.cpu}`;
    const library = report.tensorflowVersion
      ? `TensorFlow ${report.tensorflowVersion}`
      : report.kind;
    this.#say(
      { event: 'engine', report },
      `Engine: ${library} on ${device}, ${report.threads} threads.${whyNoGpu(report)}${whatIsWrong(report)}`,
    );
  }

  listening({ pinNeeded, ...worker }: Listening): void {
    const pin = pinNeeded ? ` --pin ${worker.pin}` : '';
    const pairing = worker.code
      ? `\n${pairingText(worker.code, worker.codeExpiresAt ?? 0)}\nPair with: teletrain connect ${worker.url}${pin}`
      : '';
    this.#say(
      { event: 'listening', ...worker },
      `Worker "${withoutControl(worker.name)}" listens on ${worker.url}${pairing}`,
    );
  }

  /** What new connections are shown, in place of the certificate before. */
  certificate({ pin, validTo }: TlsIdentity, before: TlsIdentity): void {
    const until = new Date(validTo).toISOString().slice(0, 10);
    const other =
      pin === before.pin
        ? ''
        : ` Its key is another one: clients that have a pin have to connect anew, with --pin ${pin}.`;
    this.#say(
      { event: 'certificate', pin, validTo },
      `New connections are shown the renewed certificate, valid until ${until}.${other}`,
    );
  }

  code(code: string, expiresAt: number): void {
    this.#say({ event: 'code', code, expiresAt }, pairingText(code, expiresAt));
  }

  paired(client: string, role: Role): void {
    const how = role === 'observe' ? ', which may only look' : '';
    this.#say({ event: 'paired', client, role }, `Paired with "${withoutControl(client)}"${how}.`);
  }

  /** @param by the client that saw to it. */
  revoked(observer: string, by: string): void {
    this.#say(
      { event: 'revoked', observer, by },
      `"${withoutControl(observer)}" may look no more: "${withoutControl(by)}" revoked its access.`,
    );
  }

  /** @param from who had it, if anybody. */
  control(client: string, from: string | undefined): void {
    const before = from === undefined ? '' : `; "${withoutControl(from)}" had it`;
    this.#say(
      { event: 'control', client, ...(from === undefined ? {} : { from }) },
      `"${withoutControl(client)}" has control now${before}.`,
    );
  }

  warning(message: string): void {
    this.#say({ event: 'warning', message }, `Warning: ${withoutControl(message)}`);
  }

  state(event: Extract<RunEvent, { type: 'state' }>): void {
    const { run, state, reason, message } = event;
    const why = message ?? reason;
    this.#say(
      {
        event: 'state',
        run,
        state,
        ...(reason ? { reason } : {}),
        ...(message ? { message } : {}),
      },
      `${run}: ${state}${why ? ` (${withoutControl(why)})` : ''}`,
    );
  }

  /** One line that the next one replaces; with JSON, an object a line. */
  status(status: RunStatus | undefined, clients: number): void {
    if (!this.#isLive) return;
    if (this.#json) {
      this.#say({ event: 'status', clients, ...(status ? { status } : {}) }, '');
      return;
    }
    const who = `${clients} ${clients === 1 ? 'client' : 'clients'}`;
    const what = status
      ? `${status.run}: ${status.phase}, epoch ${status.epoch}/${status.epochs}, step ${status.step}, ${Math.round(status.examplesPerSecond)} examples/s`
      : 'idle';
    this.#sink.write(`\r\u001b[K${withoutControl(what)} · ${who}`);
    this.#statusShown = true;
  }

  stopping(why: string): void {
    this.#say({ event: 'stopping', reason: why }, `Stopping: ${why}.`);
  }

  error(error: TeletrainError, more: Readonly<Record<string, unknown>> = {}): void {
    this.#say(
      { event: 'error', error: error.toJSON(), ...more },
      `${error.message}\n${error.hint}`,
    );
  }

  end(): void {
    this.#clearStatus();
  }

  #say(value: object, text: string): void {
    this.#clearStatus();
    this.#sink.write(this.#json ? `${withEscapedControl(JSON.stringify(value))}\n` : `${text}\n`);
  }

  #clearStatus(): void {
    if (!this.#statusShown) return;
    this.#statusShown = false;
    this.#sink.write('\r\u001b[K');
  }
}

function pairingText(code: string, expiresAt: number): string {
  const until = new Date(expiresAt).toTimeString().slice(0, 5);
  return `One-time code: ${code} (for one client, until ${until})`;
}

/** A GPU that is there and does not train is worth a word; the reason says what to do. */
function whyNoGpu({ device, gpuFound, candidates }: EngineReport): string {
  if (device === 'gpu' || gpuFound === undefined) return '';
  const reason = candidates.find(({ name }) => name === 'native-gpu')?.reason;
  return ` The ${gpuFound.name} is not used${reason ? `: ${reason}` : ''}.`;
}

/** An implementation that gave something else than the reference is worth a word, as is each on a GPU. */
function whatIsWrong({ device, layers = [] }: EngineReport): string {
  return layers
    .flatMap(({ layer, used, implementations }) =>
      implementations
        .filter(({ name, agrees }) => agrees === false && (device === 'gpu' || name === 'kernel'))
        .map(
          ({ name, reason }) => ` ${layer} is computed by ${used} and not by ${name}: ${reason}.`,
        ),
    )
    .join('');
}
