import type { EventBody } from '../../shared/events.ts';
import type { Run } from './run.ts';

/**
 * What an engine or a worker that was killed did not come to tell: the checkpoints that it had rotated
 * away. Who reads the run's events takes them for being here, and would ask for them in vain for ever.
 */
export async function untoldRemovals({ fold, directory }: Run): Promise<readonly EventBody[]> {
  if (fold.checkpoints.length === 0) return [];
  // Of a disk that cannot be read nobody knows what is gone.
  const ids = await directory.checkpointIds().catch(() => undefined);
  if (!ids) return [];
  const gone = fold.checkpoints.filter(({ id }) => !ids.includes(id));
  return gone.map(({ id }) => ({ type: 'checkpoint-removed', id }));
}
