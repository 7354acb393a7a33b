import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import { TeletrainError } from '../../../shared/errors.ts';
import type { RunEvent, RunStatus } from '../../../shared/events.ts';
import { decodeFrame, encodeFrame } from '../../../shared/frames.ts';
import { subprotocol } from '../../../shared/limits.ts';
import type {
  ControlState,
  Hello,
  MethodName,
  ParamsOf,
  ResultOf,
  Welcome,
  WireError,
} from '../../../shared/messages.ts';
import type { RunRecord } from '../../../shared/run.ts';

interface Answer<Result> {
  readonly result: Result;
  readonly payload: Uint8Array;
}

/** What a header may hold, as far as it is looked at; each kind has its own of these. */
interface Said {
  readonly id?: string;
  readonly event: RunEvent;
  readonly status: RunStatus;
  readonly time: number;
  readonly result: unknown;
  readonly error: WireError;
  readonly reason: WireError;
  readonly ended?: WireError;
  readonly control: ControlState;
}

/** A bare client of the protocol: what it is told, it keeps; it neither retries nor reconnects. */
export class WireClient {
  readonly socket: WebSocket;
  readonly clientId: string;
  readonly events: RunEvent[] = [];
  /** In place of keeping the events, where they are too many. */
  onEvent: (event: RunEvent) => void = (event) => this.events.push(event);
  readonly statuses: RunStatus[] = [];
  /** Who has control, each time it was told. */
  readonly controls: ControlState[] = [];
  /** Why tensor sessions are no more. */
  readonly ended: WireError[] = [];
  /** Errors that answer no request, and the reasons of byes. */
  readonly complaints: WireError[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  welcome: Welcome | undefined;
  readonly #answers = new Map<
    string,
    { resolve: (answer: Answer<unknown>) => void; reject: (error: Error) => void }
  >();
  readonly #pongs = new Map<number, () => void>();
  #changed: (() => void)[] = [];

  private constructor(socket: WebSocket, clientId: string) {
    this.socket = socket;
    this.clientId = clientId;
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        for (const { reject } of this.#answers.values()) reject(new Error(`closed with ${code}`));
        this.#tell();
      });
    });
    socket.on('error', () => {});
    socket.on('message', (data: Buffer) => this.#take(data));
  }

  /** An open socket; nothing was said on it. */
  static async open(
    url: string,
    clientId: string = randomUUID(),
    options: object = {},
  ): Promise<WireClient> {
    const socket = new WebSocket(url, subprotocol, { perMessageDeflate: false, ...options });
    const client = new WireClient(socket, clientId);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  /** A connection that was welcomed. */
  static async connect(
    url: string,
    auth: Hello['auth'],
    clientId?: string,
    hello?: Pick<Hello, 'capabilities' | 'glance'>,
  ): Promise<WireClient> {
    const client = await WireClient.open(url, clientId);
    client.hello(auth, undefined, hello);
    await client.until(() => client.welcome !== undefined || client.complaints.length > 0);
    const [complaint] = client.complaints;
    if (complaint)
      throw new TeletrainError(complaint.code, complaint.message, { hint: complaint.hint });
    return client;
  }

  hello(
    auth: Hello['auth'],
    protocol = { min: 1, max: 1 },
    more: Pick<Hello, 'capabilities' | 'glance'> = { capabilities: ['control'] },
  ): void {
    this.send('hello', {
      protocol,
      client: { id: this.clientId, name: 'test', version: '0.0.0' },
      auth,
      ...more,
    });
  }

  send(kind: Parameters<typeof encodeFrame>[0], header: unknown, payload?: Uint8Array): void {
    this.socket.send(encodeFrame(kind, header, payload));
  }

  async request<Method extends MethodName>(
    method: Method,
    params: ParamsOf<Method>,
    options: { id?: string; payload?: Uint8Array } = {},
  ): Promise<Answer<ResultOf<Method>>> {
    return (await this.ask(method, params, options)) as Answer<ResultOf<Method>>;
  }

  /** A request that need not be a right one. */
  async ask(
    method: string,
    params: unknown,
    options: { id?: string; payload?: Uint8Array } = {},
  ): Promise<Answer<unknown>> {
    const id = options.id ?? randomUUID();
    const answer = new Promise<Answer<unknown>>((resolve, reject) =>
      this.#answers.set(id, { resolve, reject }),
    );
    this.send('request', { id, method, params }, options.payload);
    return await answer;
  }

  /** @returns the round trip in ms. */
  async ping(): Promise<number> {
    const start = performance.now();
    await new Promise<void>((resolve) => {
      this.#pongs.set(start, resolve);
      this.send('ping', { time: start });
    });
    return performance.now() - start;
  }

  /** Resolves when the condition holds; it is looked at whenever something arrives. */
  async until(condition: () => boolean, withinMs = 20_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!condition()) {
      if (Date.now() > deadline) {
        throw new Error(
          `waited ${withinMs} ms in vain; last events: ${JSON.stringify(this.events.slice(-3))}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(500, deadline - Date.now() + 1));
        this.#changed.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  async untilState(state: string): Promise<void> {
    await this.until(() =>
      this.events.some((event) => event.type === 'state' && event.state === state),
    );
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  async close(): Promise<void> {
    this.socket.close(1000);
    await this.closed;
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }

  #take(data: Buffer): void {
    const { kind, header, payload } = decodeFrame(data);
    // The worker's own frames: the client's checks are tested elsewhere.
    const said = header as Said;
    if (kind === 'welcome') this.welcome = header as Welcome;
    else if (kind === 'event') this.onEvent(said.event);
    else if (kind === 'status') this.statuses.push(said.status);
    else if (kind === 'ping') this.send('pong', header);
    else if (kind === 'pong') this.#pongs.get(said.time)?.();
    else if (kind === 'bye') this.complaints.push(said.reason);
    else if (kind === 'control') this.controls.push(said.control);
    else if (kind === 'results' && said.ended) this.ended.push(said.ended);
    else if (said.id !== undefined) {
      const waiting = this.#answers.get(said.id);
      this.#answers.delete(said.id);
      if (kind === 'response')
        waiting?.resolve({ result: said.result, payload: new Uint8Array(payload) });
      else {
        const error = said.error;
        waiting?.reject(new TeletrainError(error.code, error.message, { hint: error.hint }));
      }
    } else if (kind === 'error') this.complaints.push(said.error);
    this.#tell();
  }

  #tell(): void {
    for (const wake of this.#changed.splice(0)) wake();
  }
}

/** A record that a worker takes; the small engine looks at its epochs only. */
export function smallRun(id: string, epochs = 1): RunRecord {
  return {
    format: 1,
    id,
    recipe: 'digits-pixel-rnn',
    settings: { epochs },
    quick: false,
    createdAt: Date.now(),
    version: '0.1.0',
  };
}
