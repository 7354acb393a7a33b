import { TeletrainError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import type { CommandsHeader, ParamsOf, ResultOf } from '../../shared/messages.ts';
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
}

/** Every tensor session of this worker, each with a process of its own. */
export class TensorSessions {
  readonly #options: TensorSessionsOptions;
  readonly #sessions = new Map<string, GatewayTensorSession>();
  readonly #lingering = new Map<GatewayTensorSession, NodeJS.Timeout>();
  #isClosing = false;

  constructor(options: TensorSessionsOptions) {
    this.#options = options;
  }

  /**
   * Starts a session, or gives one that is there to another connection of its client's.
   * @throws TeletrainError `unknown-tensor-session`, `too-many-tensor-sessions`,
   *   `worker-stopping`, or why its engine cannot work.
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
    this.#keep(session);
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
      ready: (engine) => session.opened(engine),
      results: (taken, payload) => session.results(taken, payload),
      ended: (reason) => this.#end(session, reason),
    });
    const session = new GatewayTensorSession(id, client, process);
    this.#sessions.set(id, session);
    return session;
  }

  /** The session that has waited longest for this client gives way: most likely its program was killed. */
  #endLingering(client: string): void {
    const [session] = [...this.#lingering.keys()].filter((waiting) => waiting.client === client);
    if (session) this.#end(session, closed());
  }

  #linger(session: GatewayTensorSession): void {
    this.#keep(session);
    const { lingerMs = limits.tensorLingerMs } = this.#options;
    const timer = setTimeout(() => this.#end(session, closed()), lingerMs);
    this.#lingering.set(session, timer.unref());
  }

  #keep(session: GatewayTensorSession): void {
    clearTimeout(this.#lingering.get(session));
    this.#lingering.delete(session);
  }

  #end(session: GatewayTensorSession, reason: TeletrainError): void {
    this.#keep(session);
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

const stopping = (): TeletrainError =>
  new TeletrainError('worker-stopping', 'The worker stops.', {
    hint: 'Connect again when it runs again; the tensors that it held are lost.',
  });
