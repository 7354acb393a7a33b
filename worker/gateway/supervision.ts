import type { TeletrainError } from '../../shared/errors.ts';
import { type EventBody, isFinal, type RunStatus } from '../../shared/events.ts';
import type { WireError } from '../../shared/messages.ts';
import type { Turns } from '../../shared/turns.ts';
import type { FromEngine } from '../channel.ts';
import type { ActiveRun } from './active-run.ts';
import type { Engine, EngineEnd } from './engine-process.ts';
import { EventKeeper } from './event-keeper.ts';
import { afterEngineCrash, afterUnusableEngine, type Recovery } from './recovery.ts';
import type { Run } from './run.ts';
import { untoldRemovals } from './untold-removals.ts';

export interface SupervisionOptions {
  readonly active: ActiveRun;
  readonly engine: Pick<Engine, 'kill'>;
  /** Of what changes which run is active. */
  readonly turns: Turns;
  readonly onWarning: (message: string) => void;
  readonly onStatus: (status: RunStatus) => void;
  readonly onUnusable: (error: WireError) => void;
}

/**
 * What becomes of the active run by itself: the engine's events get their numbers through its journal,
 * and it goes on or ends where the engine, the gateway or the disk failed.
 */
export class Supervision {
  readonly #options: SupervisionOptions;
  readonly #keeper = new EventKeeper((run, error) => this.#journalFailed(run, error));
  #wasReady = false;

  constructor(options: SupervisionOptions) {
    this.#options = options;
  }

  /** Resolves when all that the engine said so far is on disk, or was refused. */
  get settled(): Promise<void> {
    return this.#keeper.settled;
  }

  /** An event of the gateway's own. A disk that refuses it ends the run. */
  async append(run: Run, event: EventBody): Promise<void> {
    await this.#keeper.append(run, event);
  }

  engineReady(): void {
    this.#wasReady = true;
  }

  heard(message: Extract<FromEngine, { type: 'status' | 'drawing' }>): void {
    const { run } = this.#options.active;
    if (!run) return;
    if (message.type === 'status') {
      if (message.status.run !== run.id) return;
      run.tell(message.status);
      this.#options.onStatus(message.status);
    } else if (message.drawing.run === run.id) {
      run.show(message.drawing);
    }
  }

  /** An event of the engine's. What makes the run end is handled after it is on disk. */
  async journal(id: string, body: EventBody): Promise<void> {
    const { active, turns } = this.#options;
    const { run } = active;
    if (run?.id !== id) return;
    const event = await this.#keeper.keep(run, body);
    if (event?.type === 'state' && isFinal(event.state)) await turns.take(() => this.#leave(run));
  }

  async engineEnded(end: EngineEnd): Promise<void> {
    const { active, onWarning, onUnusable } = this.#options;
    await this.#keeper.settled;
    active.engineEnded();
    if (active.isEnding) return;
    const { run } = active;
    if (run && !isFinal(run.fold.state)) {
      await this.#crashed(run, end);
    } else {
      if (run) await this.#leave(run);
      if (!end.unusable) onWarning(`The engine ${end.how}.`);
    }
    if (end.unusable) onUnusable(end.unusable);
    else if (!this.#wasReady && !active.run) onUnusable(neverReady(end));
  }

  async carryOut(run: Run, recovery: Recovery): Promise<void> {
    const { active } = this.#options;
    for (const event of await untoldRemovals(run)) await this.append(run, event);
    if (recovery.kind === 'leave') {
      if (isFinal(run.fold.state)) active.leave();
      else active.hold(run);
      return;
    }
    await this.append(run, recovery.event);
    // The disk refused that, by which the run ended: nobody is to take it for the active one.
    if (isFinal(run.fold.state) && !isFinal(recovery.event.state)) return;
    if (recovery.kind === 'restart') active.beginLater(run, recovery.waitMs);
    else if (isFinal(recovery.event.state)) await this.#leave(run);
    else active.hold(run);
  }

  async #crashed(run: Run, end: EngineEnd): Promise<void> {
    if (end.lastWords.length > 0) {
      const message = `The engine's last words:\n${end.lastWords.join('\n')}`.slice(0, 8000);
      await this.append(run, { type: 'log', level: 'error', message });
    }
    const { unusable, how } = end;
    await this.carryOut(
      run,
      unusable ? afterUnusableEngine(unusable) : afterEngineCrash(run.fold, how),
    );
  }

  /** The disk took an event no more. */
  async #journalFailed(run: Run, error: TeletrainError): Promise<void> {
    const { active, engine, onWarning } = this.#options;
    if (run !== active.run || isFinal(run.fold.state)) return;
    active.leave();
    onWarning(`Run ${run.id} ends. ${error.message} ${error.hint}`);
    engine.kill();
    run.failed(error);
    await run.rest();
  }

  async #leave(run: Run): Promise<void> {
    const { active } = this.#options;
    if (run !== active.run) return;
    active.leave();
    await run.rest();
  }
}

function neverReady({ how, lastWords }: EngineEnd): WireError {
  const said = lastWords.at(-1);
  return {
    code: 'engine-crashed',
    message: `The engine ${how} before it was ready${said ? `: ${said}` : '.'}`,
    hint: 'See "teletrain doctor" for what is missing.',
  };
}
