import { TeletrainError } from '../../shared/errors.ts';
import { decodeFrame, type Frame } from '../../shared/frames.ts';
import { closeCodes, limits, protocolVersions } from '../../shared/limits.ts';
import {
  type CommandsHeader,
  cancelSchema,
  commandsHeaderSchema,
  type FrameKind,
  type Hello,
  helloSchema,
  type MethodName,
  methods,
  type ParamsOf,
  pingSchema,
  type Role,
  requestSchema,
} from '../../shared/messages.ts';
import { readOnly } from '../../shared/read-only.ts';
import { commonVersion, type VersionRange } from '../../shared/versions.ts';
import type { GatewayWelcome } from './door.ts';

/** A request whose method exists and whose parameters are what the method takes. */
export type CheckedRequest<Method extends MethodName = MethodName> = {
  [Name in Method]: {
    readonly id: string;
    readonly method: Name;
    readonly params: ParamsOf<Name>;
    /** A view into the message; copy it to keep it. */
    readonly payload: Uint8Array;
  };
}[Method];

/** What the owner of the socket has to do, in this order. */
export type SessionStep =
  | {
      readonly do: 'send';
      readonly kind: FrameKind;
      readonly header: unknown;
      readonly payload?: Uint8Array | undefined;
    }
  /** Look at the token or code, then call `welcome` or `refuse`. */
  | { readonly do: 'authenticate'; readonly hello: Hello }
  /** Do it, then call `answer` or `fail`. */
  | { readonly do: 'perform'; readonly request: CheckedRequest }
  /** A batch for a tensor session; its bytes are a view into the message. */
  | {
      readonly do: 'commands';
      readonly header: CommandsHeader;
      readonly payload: Uint8Array;
    }
  /** The answer is not waited for any more. */
  | { readonly do: 'cancel'; readonly id: string }
  | { readonly do: 'close'; readonly code: number; readonly reason: string }
  /** Nobody is there: drop the socket without a farewell. */
  | { readonly do: 'terminate' };

type Phase = 'hello' | 'authenticating' | 'welcomed' | 'closed';

/**
 * One connection, as a state machine: messages and the time go in, what to do comes out. It holds
 * no socket, reads no clock and waits for nothing. Whatever a client sends, nothing is thrown: it
 * is answered by an error, or the connection is closed with a reason.
 */
export class Session {
  #phase: Phase = 'hello';
  readonly #openedAt: number;
  #heardAt: number;
  #sentAt: number;
  readonly #unanswered = new Set<string>();
  #role: Role = 'observe';
  readonly #versions: VersionRange;
  /** The version taken. */
  #protocol = 0;

  /** @param options.versions what this worker speaks. Default: `protocolVersions`. */
  constructor(now: number, options: { versions?: VersionRange } = {}) {
    this.#versions = options.versions ?? protocolVersions;
    this.#openedAt = now;
    this.#heardAt = now;
    this.#sentAt = now;
  }

  get isWelcomed(): boolean {
    return this.#phase === 'welcomed';
  }

  receive(message: Uint8Array, now: number): SessionStep[] {
    if (this.#phase === 'closed') return [];
    this.#heardAt = now;
    try {
      return this.#take(decodeFrame(message), now);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      return this.end(error, closeCodes.malformed, now);
    }
  }

  /** Text arrived; the protocol is binary. */
  receiveText(now: number): SessionStep[] {
    return this.end(unexpected('a text message'), closeCodes.malformed, now);
  }

  welcome(welcome: GatewayWelcome, now: number): SessionStep[] {
    if (this.#phase !== 'authenticating') return [];
    this.#phase = 'welcomed';
    this.#role = welcome.role;
    return [this.#send('welcome', { protocol: this.#protocol, ...welcome }, now)];
  }

  answer(id: string, result: unknown, payload: Uint8Array | undefined, now: number): SessionStep[] {
    if (!this.#unanswered.delete(id) || this.#phase === 'closed') return [];
    return [this.#send('response', { id, result }, now, payload)];
  }

  fail(
    id: string,
    error: { code: string; message: string; hint: string },
    now: number,
  ): SessionStep[] {
    if (!this.#unanswered.delete(id) || this.#phase === 'closed') return [];
    return [this.#send('error', { id, error }, now)];
  }

  /** Says why, then closes. */
  end(error: TeletrainError, code: number, now: number): SessionStep[] {
    if (this.#phase === 'closed') return [];
    this.#phase = 'closed';
    const kind = code === closeCodes.workerStopping ? 'bye' : 'error';
    const header = kind === 'bye' ? { reason: error.toJSON() } : { error: error.toJSON() };
    return [this.#send(kind, header, now), { do: 'close', code, reason: error.code }];
  }

  /** Something else was sent on the socket (an event, a status), so no ping is due. */
  noteSent(now: number): void {
    this.#sentAt = now;
  }

  /** The peer took something that was sent, or a part of a message came: it is there. */
  noteHeard(now: number): void {
    this.#heardAt = now;
  }

  /** When `tick` has something to do, at the latest. */
  get nextTickAt(): number {
    if (this.#phase === 'closed') return Number.POSITIVE_INFINITY;
    if (this.#phase !== 'welcomed') return this.#openedAt + limits.authenticationMs;
    return Math.min(this.#sentAt + limits.heartbeatMs, this.#heardAt + limits.silenceMs);
  }

  tick(now: number): SessionStep[] {
    if (this.#phase === 'closed') return [];
    if (this.#phase !== 'welcomed') {
      if (now < this.#openedAt + limits.authenticationMs) return [];
      return this.end(
        new TeletrainError(
          'authentication-timeout',
          `No token or code arrived within ${limits.authenticationMs / 1000} s.`,
          { hint: 'Send the hello frame as soon as the socket is open.' },
        ),
        closeCodes.authenticationTimeout,
        now,
      );
    }
    if (now >= this.#heardAt + limits.silenceMs) {
      this.#phase = 'closed';
      return [{ do: 'terminate' }];
    }
    if (now >= this.#sentAt + limits.heartbeatMs) return [this.#send('ping', { time: now }, now)];
    return [];
  }

  #take(frame: Frame, now: number): SessionStep[] {
    if (frame.kind === 'unknown' && this.#phase !== 'hello') return [];
    if (this.#phase === 'authenticating') {
      return this.end(
        unexpected(`a ${frame.kind} message before the welcome`),
        closeCodes.malformed,
        now,
      );
    }
    if (this.#phase === 'hello') {
      if (frame.kind === 'hello') return this.#hello(frame, now);
      const error = new TeletrainError('unauthorised', 'The first message must be a hello.', {
        hint: 'Pair with the worker by its one-time code: teletrain connect <url>.',
      });
      return this.end(error, closeCodes.unauthorised, now);
    }
    switch (frame.kind) {
      case 'request':
        return this.#request(frame, now);
      case 'commands':
        return this.#commands(frame, now);
      case 'ping':
        return [this.#send('pong', parsed(pingSchema, frame), now)];
      case 'pong':
        return [];
      case 'cancel': {
        const { id } = parsed(cancelSchema, frame);
        return this.#unanswered.has(id) ? [{ do: 'cancel', id }] : [];
      }
      case 'bye':
        this.#phase = 'closed';
        return [{ do: 'close', code: closeCodes.normal, reason: 'bye' }];
      default:
        return this.end(unexpected(`a ${frame.kind} message`), closeCodes.malformed, now);
    }
  }

  #hello(frame: Frame, now: number): SessionStep[] {
    const hello = parsed(helloSchema, frame);
    const [theirs, ours] = [hello.protocol, this.#versions];
    const protocol = commonVersion(theirs, ours);
    if (protocol === undefined) {
      const older = theirs.max < ours.min ? 'client' : 'worker';
      const error = new TeletrainError(
        'unsupported-version',
        `The client speaks protocol ${theirs.min} to ${theirs.max}, this worker ${ours.min} to ${ours.max}.`,
        { hint: `Update the ${older}.` },
      );
      return this.end(error, closeCodes.unsupportedVersion, now);
    }
    this.#protocol = protocol;
    this.#phase = 'authenticating';
    return [{ do: 'authenticate', hello }];
  }

  #commands(frame: Frame, now: number): SessionStep[] {
    const header = parsed(commandsHeaderSchema, frame);
    if (this.#role === 'control') return [{ do: 'commands', header, payload: frame.payload }];
    const { session } = header;
    const ended = readOnly('tensor.open').toJSON();
    return [this.#send('results', { session, number: 0, got: 0, ended }, now)];
  }

  #request(frame: Frame, now: number): SessionStep[] {
    const { id, method, params } = parsed(requestSchema, frame);
    // Its first sending is still being answered on this very connection.
    if (this.#unanswered.has(id)) return [];
    const refuse = (code: string, message: string, hint: string): SessionStep[] => [
      this.#send('error', { id, error: { code, message, hint } }, now),
    ];
    if (this.#unanswered.size >= limits.requestsInFlight) {
      return refuse(
        'too-many-requests',
        `More than ${limits.requestsInFlight} requests wait for their answers.`,
        'Send the next one when one was answered.',
      );
    }
    if (!isMethod(method)) {
      return refuse(
        'unknown-method',
        `There is no method "${method}".`,
        'See PROTOCOL.md, or update the worker.',
      );
    }
    if (methods[method].needs !== 'observe' && this.#role !== 'control') {
      const { code, message, hint } = readOnly(method);
      return refuse(code, message, hint);
    }
    const checked = methods[method].params.safeParse(params);
    if (!checked.success) {
      return refuse(
        'bad-params',
        `${method}: ${firstIssue(checked.error)}.`,
        'See PROTOCOL.md for what it takes.',
      );
    }
    this.#unanswered.add(id);
    // The parameters were parsed by the schema of the very method that names them.
    const request = { id, method, params: checked.data, payload: frame.payload } as CheckedRequest;
    return [{ do: 'perform', request }];
  }

  #send(kind: FrameKind, header: unknown, now: number, payload?: Uint8Array): SessionStep {
    this.#sentAt = now;
    return { do: 'send', kind, header, payload };
  }
}

const isMethod = (method: string): method is MethodName => Object.hasOwn(methods, method);

interface Schema<Output> {
  safeParse(value: unknown): { success: true; data: Output } | { success: false; error: Issues };
}
interface Issues {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

/** @throws TeletrainError `malformed-message`. */
function parsed<Output>(schema: Schema<Output>, frame: Frame): Output {
  const result = schema.safeParse(frame.header);
  if (result.success) return result.data;
  throw new TeletrainError(
    'malformed-message',
    `A ${frame.kind} message is wrong: ${firstIssue(result.error)}.`,
    {
      hint: 'Both ends must speak the teletrain protocol; see PROTOCOL.md.',
    },
  );
}

function firstIssue(error: Issues): string {
  const issue = error.issues[0];
  const where = issue?.path.map(String).join('.');
  return `${where ? `${where}: ` : ''}${issue?.message ?? 'it has another form'}`.slice(0, 500);
}

function unexpected(what: string): TeletrainError {
  return new TeletrainError('unexpected-message', `A worker does not take ${what} here.`, {
    hint: 'Both ends must speak the teletrain protocol; see PROTOCOL.md.',
  });
}
