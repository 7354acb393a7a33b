import { TeletrainError } from '../../shared/errors.ts';
import { isFinal } from '../../shared/events.ts';
import type { System } from '../../shared/system.ts';
import { Turns } from '../../shared/turns.ts';
import { resumeRun } from './resume-run.ts';
import type { RunLimits } from './run-done.ts';
import { SessionHandle } from './run-handle.ts';
import { RunSession } from './run-session.ts';
import type { RunStore } from './run-store.ts';
import type { RunHandle } from './types.ts';
import { unlessAborted } from './unless-aborted.ts';
import type { WorkerLink } from './worker-link.ts';
import type { WorkerLinks } from './worker-links.ts';
import { localName } from './workers.ts';

/** How long a run that is opened waits for its worker before it shows what is on disk while it goes on trying. */
export const firstLookMs = 4_000;

interface OpenRun {
  readonly session: RunSession;
  holders: number;
  /** Who goes on with it, and who looks where it is, one after the other. */
  readonly turns: Turns;
}

/**
 * Does what decides where a run is followed when all of that before it is over: two moves at once could bring
 * it to two workers, and who opens it during a move could follow it where it was.
 */
export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

export interface OpenRunsOptions {
  readonly system: System;
  readonly store: RunStore;
  readonly links: WorkerLinks;
}

/** The runs that are open in this program: one session each, for all who hold it. */
export class OpenRuns {
  readonly #system: System;
  readonly #store: RunStore;
  readonly #links: WorkerLinks;
  readonly #open = new Map<string, Promise<OpenRun>>();

  constructor({ system, store, links }: OpenRunsOptions) {
    this.#system = system;
    this.#store = store;
    this.#links = links;
  }

  /** Ends them all, though some fail to. */
  async close(): Promise<void> {
    const open = await Promise.allSettled(this.#open.values());
    this.#open.clear();
    const closed = await Promise.allSettled(
      open.map(async (run) => run.status === 'fulfilled' && this.#end(run.value.session)),
    );
    const failed = closed.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** The one session of a run in this program, for one more holder. */
  async handle(
    id: string,
    prepare: (session: RunSession, inTurn: InTurn) => Promise<void>,
  ): Promise<RunHandle> {
    let opening = this.#open.get(id);
    if (!opening) {
      opening = this.#openSession(id);
      this.#open.set(id, opening);
      opening.catch(() => this.#open.delete(id));
    }
    const open = await opening;
    const { session } = open;
    open.holders += 1;
    const release = async (): Promise<void> => {
      open.holders -= 1;
      if (open.holders > 0 || this.#open.get(id) !== opening) return;
      this.#open.delete(id);
      await this.#end(session);
    };
    const inTurn: InTurn = (work) => open.turns.take(work);
    try {
      await prepare(session, inTurn);
    } catch (error) {
      await release();
      throw error;
    }
    const links = this.#links;
    const store = this.#store;
    const system = this.#system;
    const resume = (): Promise<void> =>
      inTurn(async () =>
        resumeRun({ links, store, session, system, target: await this.workerOf(id) }),
      );
    const change = async (changes: RunLimits): Promise<void> => {
      await this.#wake(session, inTurn);
      await session.command('run.change', { run: id, ...changes });
    };
    return new SessionHandle(session, { resume, change, release });
  }

  async #openSession(id: string): Promise<OpenRun> {
    const { fold, journal } = await this.#store.open(id);
    const place = await this.#store.place(id);
    if (place) fold.set('worker', place.worker);
    const session = new RunSession({ fold, journal, system: this.#system });
    await session.lookAtHome();
    return { session, holders: 0, turns: new Turns() };
  }

  /** What the worker was when this program last saw it is kept, so that the next one can tell a new one. */
  async #end(session: RunSession): Promise<void> {
    const { link, view } = session;
    try {
      if (link?.welcome && view.worker !== undefined) {
        await this.#store.setPlace(session.id, await this.#links.placeAt(view.worker, link));
      }
    } finally {
      await session.close();
    }
  }

  /** The worker where a run was last. */
  async workerOf(id: string): Promise<string> {
    return (await this.#store.place(id))?.worker ?? localName;
  }

  /**
   * Follows the run where it is, if that can be reached; else it stays what the disk tells. One that goes to
   * another worker is waited for: it must not be followed where it was.
   */
  async reach(session: RunSession, inTurn: InTurn, signal: AbortSignal | undefined): Promise<void> {
    const reached = inTurn(() => this.#attach(session));
    if (await unlessAborted(reached, 'Opening the run', signal)) {
      await session.firstLook(firstLookMs, signal);
    }
  }

  /** @returns whether it is followed from now on, and was not before. */
  async #attach(session: RunSession): Promise<boolean> {
    if (session.link) return false;
    const away = (reason: string): false => {
      session.detach(reason);
      return false;
    };
    const place = await this.#store.place(session.id);
    if (!place) return away('it is not known where it ran');
    const { worker, epoch } = place;
    if (!(await this.#links.mayBeThere(worker))) {
      return away('the worker on this machine is not running');
    }
    let link: WorkerLink;
    try {
      link = await this.#links.to(worker, epoch);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      return away(`its worker "${worker}" is no longer known`);
    }
    session.attach(link, worker);
    return true;
  }

  /** Starts the local worker for what is asked of a run that ended there. */
  async #wake(session: RunSession, inTurn: InTurn): Promise<void> {
    if (session.link || !isFinal(session.view.state)) return;
    if ((await this.workerOf(session.id)) !== localName) return;
    await this.#links.ensureLocal({});
    await this.reach(session, inTurn, undefined);
  }
}
