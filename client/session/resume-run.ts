import { TeletrainError } from '../../shared/errors.ts';
import { isFinal } from '../../shared/events.ts';
import type { RunSummary } from '../../shared/run.ts';
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
  readonly session: RunSession;
  /** Name of the worker on which the run goes on. */
  readonly target: string;
  readonly onProgress?: ((progress: SetupProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How long the worker where the run was last is looked for. */
const oldWorkerPatienceMs = 4_000;

/**
 * Goes on with a run: where it was, or on a worker that does not have all of it, to which the last
 * checkpoint at home is brought first.
 * @throws TeletrainError `run-active-elsewhere`, `no-checkpoint`, `worker-busy`, `worker-lost`, ...
 */
export async function resumeRun(options: ResumeOptions): Promise<void> {
  const { links, store, session, target, onProgress, signal } = options;
  if (target === localName) await links.ensureLocal({ onProgress, signal });
  const link = await links.to(target);
  await link.connected(patient(signal));
  const there = await summaryOn(link, session.id, patient(signal));
  const isWhole = there !== undefined && there.lastSeq >= session.view.lastSeq;
  if (!isWhole) {
    await leaveOldWorker(options);
    await importRun({ link, session, store, onProgress, signal });
  }
  await store.setPlace(session.id, await links.placeAt(target, link));
  // A worker that now has the run may have refused to give its events before.
  if (session.link !== link || !isWhole) session.attach(link, target);
  await session.command('run.resume', { run: session.id }, 'resuming');
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
    if (summary && isFinal(summary.state)) {
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
