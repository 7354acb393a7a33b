import { type Clock, systemClock } from '../../shared/clock.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import type { CommandsHeader, ParamsOf, ResultOf } from '../../shared/messages.ts';
import { Deadlines } from './deadlines.ts';
import type { TensorProcessListener } from './tensor-process.ts';
import { type BatchTaker, GatewayTensorSession, type ResultsOutlet } from './tensor-session.ts';

export interface TensorSessionsOptions {
  /** Variables for the engine's environment; asked anew for every start. */
  readonly environment: () => Promise<Readonly<Record<string, string>>>;
  /** Starts a tensor engine. */
  readonly start: (
    environment: Readonly<Record<string, string>>,
    listener: TensorProcessListener,
  ) => BatchTaker;
  /** How long a session without a connection is kept, in ms. Default: `limits.tensorLingerMs`. */
  readonly lingerMs?: number;
  /** How long an engine that starts may say nothing, in ms. Default: `limits.tensorStartMs`. */
  readonly startMs?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** Every tensor session of this worker, each with a process of its own. */
export class TensorSessions {
  readonly #options: TensorSessionsOptions;
  readonly #sessions = new Map<string, GatewayTensorSession>();
  /** When those without a connection end, and those whose engine starts. */
  readonly #lingering: Deadlines<GatewayTensorSession>;
  readonly #starting: Deadlines<GatewayTensorSession>;
  #isClosing = false;

  constructor(options: TensorSessionsOptions) {
    this.#options = options;
    const { clock = systemClock } = options;
    this.#lingering = new Deadlines(clock);
    this.#starting = new Deadlines(clock);
  }

  /**
   * Starts a session, or gives one that is there to another connection of its client's.
   * @throws TeletrainError `unknown-tensor-session`, `too-many-tensor-sessions`,
   *   `tensor-engine-silent`, `worker-stopping`, or why its engine cannot work.
   */
  async open(
    client: string,
    { session: id, resume, got }: ParamsOf<'tensor.open'>,
    outlet: ResultsOutlet,
  ): Promise<ResultOf<'tensor.open'>> {
    const environment = await this.#options.environment();
    const known = this.#sessions.get(id);
    if (known ? known.client !== client : resume) throw unknownSession();
    const session = known ?? this.#create(id, client, environment);
    this.#lingering.callOff(session);
    const opened = await session.attach(outlet, got);
    // Who asked may have gone while the engine started.
    if (!outlet.isOpen) this.detach(outlet);
    return opened;
  }

  /** What was attached to a connection may send again. */
  pump(outlet: ResultsOutlet): void {
    for (const session of this.#sessions.values()) {
      if (session.isAttachedTo(outlet)) session.pump();
    }
  }

  /** @param passedOn called when the payload is not looked at any more. */
  receive(
    outlet: ResultsOutlet,
    header: CommandsHeader,
    payload: Uint8Array,
    passedOn?: () => void,
  ): void {
    const session = this.#sessions.get(header.session);
    if (!session?.isAttachedTo(outlet)) {
      const ended = unknownSession().toJSON();
      outlet.sendResults({ session: header.session, number: 0, got: 0, ended }, new Uint8Array(0));
      return;
    }
    try {
      session.receive(header, payload, passedOn);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      this.#end(session, error);
    }
  }

  /** The connection is gone: its sessions wait for another one, and not for ever. */
  detach(outlet: ResultsOutlet): void {
    for (const session of this.#sessions.values()) {
      if (!session.isAttachedTo(outlet)) continue;
      session.detach(outlet);
      this.#linger(session);
    }
  }

  close(client: string, id: string): void {
    const session = this.#sessions.get(id);
    if (session?.client === client) this.#end(session, closed());
  }

  closeAll(): void {
    this.#isClosing = true;
    for (const session of [...this.#sessions.values()]) this.#end(session, stopping());
  }

  #create(
    id: string,
    client: string,
    environment: Readonly<Record<string, string>>,
  ): GatewayTensorSession {
    if (this.#isClosing) throw stopping();
    if (this.#sessions.size >= limits.tensorSessions) this.#endLingering(client);
    if (this.#sessions.size >= limits.tensorSessions) {
      throw new TeletrainError(
        'too-many-tensor-sessions',
        `This worker has ${limits.tensorSessions} tensor sessions already.`,
        { hint: 'Close one of them; one whose program is gone ends by itself within a minute.' },
      );
    }
    const process = this.#options.start(environment, {
      said: (line) => {
        if (this.#starting.has(session)) this.#awaitStart(session, line);
      },
      ready: (engine) => {
        this.#starting.callOff(session);
        session.opened(engine);
      },
      results: (taken, payload, release) => session.results(taken, payload, release),
      ended: (reason) => this.#end(session, reason),
    });
    const session = new GatewayTensorSession(id, client, process);
    this.#sessions.set(id, session);
    this.#awaitStart(session);
    return session;
  }

  /** Counts anew from each word of an engine that starts: it may have to be set up first. */
  #awaitStart(session: GatewayTensorSession, lastWord?: string): void {
    const { startMs = limits.tensorStartMs } = this.#options;
    this.#starting.set(session, startMs, () => this.#end(session, silent(startMs, lastWord)));
  }

  /** The session that has waited longest for this client gives way: most likely its program was killed. */
  #endLingering(client: string): void {
    const session = this.#lingering.running.find((waiting) => waiting.client === client);
    if (session) this.#end(session, closed());
  }

  #linger(session: GatewayTensorSession): void {
    const { lingerMs = limits.tensorLingerMs } = this.#options;
    this.#lingering.set(session, lingerMs, () => this.#end(session, closed()));
  }

  #end(session: GatewayTensorSession, reason: TeletrainError): void {
    this.#lingering.callOff(session);
    this.#starting.callOff(session);
    session.end(reason);
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
  }
}

const unknownSession = (): TeletrainError =>
  new TeletrainError('unknown-tensor-session', 'The worker has no such tensor session.', {
    hint: 'Connect again; the tensors that it held are lost.',
  });

const closed = (): TeletrainError =>
  new TeletrainError('tensor-session-closed', 'The tensor session was closed.', {
    hint: 'Connect again.',
  });

const silent = (milliseconds: number, lastWord?: string): TeletrainError =>
  new TeletrainError(
    'tensor-engine-silent',
    `The engine of this tensor session was ended: while it started nothing was heard of it for ${milliseconds / 1_000} s${lastWord ? `, since "${lastWord}"` : ''}.`,
    {
      hint: 'Connect again; if it stays so, see what `teletrain doctor` says on the machine of the worker.',
    },
  );

const stopping = (): TeletrainError =>
  new TeletrainError('worker-stopping', 'The worker stops.', {
    hint: 'Connect again when it runs again; the tensors that it held are lost.',
  });
