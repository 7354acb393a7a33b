import { TeletrainError, UsageError } from '../../shared/errors.ts';
import type { RunSummary } from '../../shared/run.ts';
import { unknownRun } from './errors.ts';
import { firstLookMs } from './open-runs.ts';
import type { WorkerLink } from './worker-link.ts';
import { patient, type WorkerLinks } from './worker-links.ts';

export interface FoundRun {
  readonly worker: string;
  readonly link: WorkerLink;
  readonly summary: RunSummary;
}

/**
 * A run that this machine has never seen may be on a worker that it is paired with.
 * @param given the run's name, or how it begins.
 * @throws UsageError `unknown-run`; `ambiguous-run`.
 */
export async function findOnWorkers(
  links: WorkerLinks,
  given: string,
  signal: AbortSignal | undefined,
): Promise<FoundRun> {
  const found = await matching(links, given, signal);
  const exact = found.filter(({ summary }) => summary.record.id === given);
  const [only, ...others] = exact.length > 0 ? exact : found;
  if (!only) throw unknownRun(given);
  if (others.some((other) => other.summary.record.id !== only.summary.record.id)) {
    const hint = 'Give more of the name.';
    throw new UsageError('ambiguous-run', `Several runs begin with "${given}".`, hint);
  }
  return only;
}

async function matching(
  links: WorkerLinks,
  given: string,
  signal: AbortSignal | undefined,
): Promise<FoundRun[]> {
  const patience = { ...patient(signal), patienceMs: firstLookMs };
  const ask = async (worker: string) => {
    try {
      const link = await links.to(worker);
      await link.connected({ ...patience, attempts: 2 });
      const { runs } = (await link.request('run.list', {}, patience)).result;
      const begin = runs.filter(({ record }) => record.id.startsWith(given));
      return begin.map((summary) => ({ worker, link, summary }));
    } catch (error) {
      // A worker that cannot be asked has, as far as we can tell, no such run.
      if (!(error instanceof TeletrainError) || signal?.aborted) throw error;
      return [];
    }
  };
  const workers = await links.workers();
  return (await Promise.all(workers.map(({ name }) => ask(name)))).flat();
}
