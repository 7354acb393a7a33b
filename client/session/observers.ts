import { UsageError } from '../../shared/errors.ts';
import type { Observer } from '../../shared/messages.ts';
import { patient, type WorkerLinks } from './worker-links.ts';

/** See TeletrainClient.observers. */
export async function listObservers(
  links: WorkerLinks,
  worker: string | undefined,
): Promise<{ worker: string; observers: readonly Observer[] }> {
  const { name, link } = await links.reachKnown(worker);
  const { result } = await link.request('observer.list', {}, patient());
  return { worker: name, ...result };
}

/** See TeletrainClient.revokeObserver. */
export async function revokeObserver(
  links: WorkerLinks,
  given: string,
  worker: string | undefined,
): Promise<{ worker: string; observer: Observer }> {
  const { name, link } = await links.reachKnown(worker);
  const { observers } = (await link.request('observer.list', {}, patient())).result;
  const observer = meant(observers, given, name);
  await link.request('observer.revoke', { id: observer.id }, patient());
  return { worker: name, observer };
}

/** @throws UsageError `unknown-observer`, `ambiguous-observer`. */
function meant(observers: readonly Observer[], given: string, worker: string): Observer {
  const byId = observers.filter(({ id }) => id === given);
  const [only, ...others] = byId.length > 0 ? byId : observers.filter(({ name }) => name === given);
  if (!only) {
    throw new UsageError(
      'unknown-observer',
      `Nobody called "${given}" observes ${worker}.`,
      `See who does with: teletrain share ${worker} --list.`,
    );
  }
  if (others.length > 0) {
    const ids = [only, ...others].map(({ id }) => id);
    const hint = `Give the id of the one that you mean: ${ids.join(', ')}.`;
    throw new UsageError('ambiguous-observer', `Several are called "${given}".`, hint);
  }
  return only;
}
