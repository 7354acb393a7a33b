import { createHash } from 'node:crypto';
import { TeletrainError } from '../../shared/errors.ts';
import { type MethodNeed, methods } from '../../shared/messages.ts';
import { pack } from '../../shared/msgpack.ts';
import type { Caller } from './control-keeper.ts';
import type { FindDone } from './done.ts';
import { type Handlers, handle } from './handlers.ts';
import type { Answer } from './ledger.ts';
import type { LedgerFile } from './ledger-file.ts';
import type { AskingConnection, Outcome } from './outcome.ts';
import type { CheckedRequest } from './session.ts';
import { toldFailure } from './told-failure.ts';

/** Who may ask now for what changes something: `ControlKeeper`. */
export interface Permits {
  /** @returns what is to be waited for, if anything. @throws TeletrainError why not, at once or then. */
  require(caller: Caller, need: MethodNeed): Promise<void> | undefined;
}

/** Where requests are done: once each, as far as they change something. */
export class RequestDesk {
  readonly #handlers: Handlers;
  readonly #findDone: FindDone;
  readonly #ledgerFile: LedgerFile;
  readonly #permits: Permits;
  readonly #onFault: (what: string, error: unknown) => void;
  #underway = 0;
  readonly #waitingForIdle: (() => void)[] = [];

  constructor(
    handlers: Handlers,
    findDone: FindDone,
    ledgerFile: LedgerFile,
    permits: Permits,
    onFault: (what: string, error: unknown) => void,
  ) {
    this.#handlers = handlers;
    this.#findDone = findDone;
    this.#ledgerFile = ledgerFile;
    this.#permits = permits;
    this.#onFault = onFault;
  }

  /**
   * @returns the outcome itself where nothing had to be waited for.
   * @throws TeletrainError what the request is answered with instead, at once or then.
   */
  perform(
    client: string,
    request: CheckedRequest,
    connection: AskingConnection,
  ): Outcome | Promise<Outcome> {
    try {
      const outcome = this.#begin(client, request, connection);
      return outcome instanceof Promise ? this.#finish(request, outcome) : outcome;
    } catch (error) {
      throw this.#told(request, error);
    }
  }

  #begin(
    client: string,
    request: CheckedRequest,
    connection: AskingConnection,
  ): Outcome | Promise<Outcome> {
    const { changes, needs } = methods[request.method];
    if (changes) return this.#once(client, request, connection);
    const permit = this.#permits.require(connection.caller, needs);
    const perform = () => handle(this.#handlers, client, request, connection);
    return permit ? permit.then(perform) : perform();
  }

  async #finish(request: CheckedRequest, outcome: Promise<Outcome>): Promise<Outcome> {
    this.#underway += 1;
    try {
      return await outcome;
    } catch (error) {
      throw this.#told(request, error);
    } finally {
      this.#underway -= 1;
      if (this.#underway === 0) for (const wake of this.#waitingForIdle.splice(0)) wake();
    }
  }

  /** Resolves when nothing is being done. */
  async idle(): Promise<void> {
    while (this.#underway > 0) {
      await new Promise<void>((resolve) => this.#waitingForIdle.push(resolve));
    }
  }

  async #once(
    client: string,
    request: CheckedRequest,
    connection: AskingConnection,
  ): Promise<Outcome> {
    const { ledger } = this.#ledgerFile;
    const asked = digest(request);
    const verdict = ledger.begin(client, request.id, asked);
    switch (verdict.kind) {
      case 'different':
        throw new TeletrainError(
          'request-id-reused',
          'This request id was used for another request.',
          {
            hint: 'Give every request an id of its own.',
          },
        );
      case 'answered':
        return outcomeOf(verdict.answer);
      case 'underway':
        return outcomeOf(await verdict.answer);
      case 'new': {
        const key = keyOf(client, request.id, asked);
        // The worker was killed, or its disk full, after it did this and before the ledger had it.
        const done = this.#findDone(request, key);
        const refusal = done ? undefined : await this.#refusal(request, connection);
        // It was not done, so it is not kept: sent again it may be done, if its client may by then.
        if (refusal) {
          ledger.abandon(client, request.id, refusal);
          return outcomeOf(refusal);
        }
        const { answer, afterwards } = done
          ? { answer: done }
          : await this.#answer(client, request, connection, key);
        const entry = { client, request: request.id, asked, answer };
        try {
          await this.#ledgerFile.keep(entry);
          ledger.record(entry);
        } catch (error) {
          // It was done; the client had better know, though a restart will have forgotten.
          this.#onFault('keeping an answer', error);
          ledger.abandon(client, request.id, answer);
        }
        afterwards?.();
        return outcomeOf(answer);
      }
    }
  }

  /** What was done before control passed is answered again; what was not is refused here. */
  async #refusal(
    request: CheckedRequest,
    connection: AskingConnection,
  ): Promise<Answer | undefined> {
    try {
      await this.#permits.require(connection.caller, methods[request.method].needs);
      return undefined;
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      return { error: error.toJSON() };
    }
  }

  async #answer(
    client: string,
    request: CheckedRequest,
    connection: AskingConnection,
    key: string,
  ): Promise<{ readonly answer: Answer; readonly afterwards?: (() => void) | undefined }> {
    try {
      const outcome = await handle(this.#handlers, client, request, connection, key);
      const { result, afterwards } = outcome;
      return { answer: { result }, afterwards };
    } catch (error) {
      return { answer: { error: this.#told(request, error).toJSON() } };
    }
  }

  #told({ method }: CheckedRequest, error: unknown): TeletrainError {
    if (error instanceof TeletrainError) return error;
    this.#onFault(method, error);
    return toldFailure(method, error);
  }
}

/** Names a request where others can read it: nobody learns its client's id from it. */
function keyOf(client: string, id: string, asked: string): string {
  const hash = createHash('sha256').update(JSON.stringify([client, id, asked]));
  return hash.digest('base64url').slice(0, 22);
}

function outcomeOf(answer: Answer): Outcome {
  if ('error' in answer) {
    const { code, message, hint } = answer.error;
    throw new TeletrainError(code, message, { hint });
  }
  // What a handler of that very method returned, now or before a restart.
  return { result: answer.result as Outcome['result'] };
}

/** @throws TeletrainError `bad-params` for parameters that no msgpack of ours could have held. */
function digest(request: CheckedRequest): string {
  try {
    return createHash('sha256')
      .update(pack([request.method, request.params]))
      .digest('base64');
  } catch (cause) {
    throw new TeletrainError(
      'bad-params',
      `${request.method}: its parameters are not plain data.`,
      {
        hint: 'See PROTOCOL.md for what it takes.',
        cause,
      },
    );
  }
}
