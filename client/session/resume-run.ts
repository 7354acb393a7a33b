import { TeletrainError } from '../../shared/errors.ts';
import { isFinal } from '../../shared/events.ts';
import { contains, type History } from '../../shared/lives.ts';
import type { RunSummary } from '../../shared/run.ts';
import type { System } from '../../shared/system.ts';
import { eventsMissing, runDiverged } from './errors.ts';
import { type RunLimits, requireMoreToTrain } from './run-done.ts';
import type { RunSession } from './run-session.ts';
import type { RunStore } from './run-store.ts';
import type { SetupProgress } from './types.ts';
import { importRun } from './uploads.ts';
import type { WorkerLink } from './worker-link.ts';
import { patient, type WorkerLinks } from './worker-links.ts';
import { localName } from './workers.ts';

export interface ResumeOptions {
  readonly links: WorkerLinks;
  readonly store: RunStore;
  readonly system: System;
  readonly session: RunSession;
  /** Name of the worker on which the run goes on. */
  readonly target: string;
  /** Another copy of the run that ended there may be moved aside, though this machine never saw all of it. */
  readonly replace?: boolean | undefined;
  /** Limits that hold from now on. */
  readonly changes?: RunLimits | undefined;
  readonly onProgress?: ((progress: SetupProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How long the worker where the run was last is looked for. */
const oldWorkerPatienceMs = 4_000;

/**
 * Goes on with a run: where it was, or on a worker that does not have all of it, to which the last
 * checkpoint at home is brought first.
 * @throws TeletrainError `run-active-elsewhere`, `run-diverged`, `events-missing`, `no-checkpoint`,
 *   `run-done`, `worker-busy`, `worker-lost`, `read-only`, ...
 */
export async function resumeRun(options: ResumeOptions): Promise<void> {
  const { links, store, session, target, replace, changes, onProgress, signal } = options;
  if (target === localName) await links.ensureLocal({ onProgress, signal });
  const link = await links.to(target);
  // Before anything is moved, and before a worker that is away is waited for.
  link.requireMayAsk('run.resume');
  await link.connected(patient(signal));
  link.requireMayAsk('run.resume');
  await leaveOldWorker(options);
  const there = await summaryOn(link, session.id, patient(signal));
  const isThere = there !== undefined && goesOn(there, session.history);
  if (!isThere) {
    if (there) requireReplaceable(there, session, target, replace);
    requireMoreToTrain(session.view, changes);
    await bring(options, link, there);
  } else if (session.history.lastSeq > 0 && there.firstSeq > session.history.lastSeq + 1) {
    throw eventsMissing(session.id, target, there.firstSeq, session.history.lastSeq);
  }
  await store.setPlace(session.id, await links.placeAt(target, link));
  // A worker that now has the run may have refused to give its events before.
  if (session.link !== link || !isThere) session.attach(link, target);
  const change = async (): Promise<void> => {
    if (changes) await session.command('run.change', { run: session.id, ...changes });
  };
  if (isThere) await change();
  await session.command('run.resume', { run: session.id }, 'resuming');
  // An import took them already; who reads the events is to know them too.
  if (!isThere) await change();
}

/**
 * Brings the run to a worker, which is told the number of the next event: one that the old worker
 * still sends, back again, would have that number too.
 */
async function bring(
  { session, store, system, changes, onProgress, signal }: ResumeOptions,
  link: WorkerLink,
  replaces: RunSummary | undefined,
): Promise<void> {
  const { link: before, view } = session;
  session.detach('it goes on at another worker');
  try {
    // From that number on the worker has the events, and those before it nobody but this machine.
    await session.kept();
    await importRun({ link, session, store, system, replaces, changes, onProgress, signal });
  } catch (error) {
    if (before && view.worker !== undefined) session.attach(before, view.worker);
    throw error;
  }
}

/**
 * Whether the worker has all that is at home and can go on with it. An import from which nothing was
 * made yet may lack its checkpoints, so it is brought once more: what arrived is not sent again.
 */
function goesOn(there: RunSummary, here: History): boolean {
  const isImportOnly = there.firstSeq > 1 && there.lastSeq < there.firstSeq;
  return contains(there, here) && !(isImportOnly && contains(here, there));
}

/** What the worker has is at home too, or may be given up; and nobody trains it. */
function requireReplaceable(
  there: RunSummary,
  session: RunSession,
  worker: string,
  replace = false,
): void {
  const { id, history } = session;
  const isKnown = contains(history, there) || replace;
  if (!isKnown || !isFinal(there.state)) throw runDiverged(id, worker, there, history);
}

/**
 * Two workers must never train copies of one run. One that cannot be reached is taken for lost:
 * that is when a run is resumed elsewhere.
 */
async function leaveOldWorker(options: ResumeOptions): Promise<void> {
  const { links, store, session, target, onProgress, signal } = options;
  const place = await store.place(session.id);
  if (!place || place.worker === target || !(await links.mayBeThere(place.worker))) return;
  let summary: RunSummary | undefined;
  try {
    const patience = { ...patient(signal), patienceMs: oldWorkerPatienceMs };
    const link = await links.to(place.worker);
    await link.connected({ ...patience, attempts: 3 });
    summary = await summaryOn(link, session.id, patience);
    if (summary && isFinal(summary.state) && contains(summary, session.history)) {
      // What it did since we last saw it comes home first.
      if (session.link !== link) session.attach(link, place.worker);
      await session.finished({ lostAfterMs: oldWorkerPatienceMs, ...(signal ? { signal } : {}) });
    }
  } catch (error) {
    if (!(error instanceof TeletrainError) || signal?.aborted) throw error;
    onProgress?.({ message: `worker "${place.worker}" cannot be reached; it is taken for lost` });
    return;
  }
  if (summary && !isFinal(summary.state)) {
    throw new TeletrainError(
      'run-active-elsewhere',
      `Run "${session.id}" is ${summary.state} on worker "${place.worker}".`,
      { hint: `Stop it there first: teletrain stop ${session.id}.` },
    );
  }
}

async function summaryOn(
  link: WorkerLink,
  id: string,
  patience: { patienceMs: number; signal?: AbortSignal },
): Promise<RunSummary | undefined> {
  const { result } = await link.request('run.list', {}, patience);
  return result.runs.find((summary) => summary.record.id === id);
}
