import type { ControlKeeper } from './control-keeper.ts';
import type { Answer } from './ledger.ts';
import type { Runs } from './runs.ts';
import type { CheckedRequest } from './session.ts';

/**
 * Finds what was done for a request though the ledger does not know it, and what that was answered
 * with; undefined where it is still to be done.
 *
 * @param key by which the request is known where its effect is kept.
 */
export type FindDone = (request: CheckedRequest, key: string) => Answer | undefined;

/**
 * Looks where effects are kept: a run's journal and what it was imported with, also by whom its
 * checkpoints were committed, and the file of who has control. The other methods that change something
 * need no key to be done once: `worker.stop` is in the ledger before it is done, and a token that was
 * revoked is known as such.
 */
export function findDoneIn(parts: {
  readonly runs: Pick<Runs, 'find'>;
  readonly control: Pick<ControlKeeper, 'hasTaken'>;
}): FindDone {
  const { runs, control } = parts;
  const isIn = (run: string, key: string): boolean =>
    runs.find(run)?.fold.requests.includes(key) ?? false;
  return ({ method, params }, key) => {
    switch (method) {
      case 'run.start': {
        const run = params.record.id;
        return isIn(run, key) ? { result: { run } } : undefined;
      }
      case 'run.pause':
      case 'run.resume':
      case 'run.stop':
      case 'run.change':
        return isIn(params.run, key) ? { result: {} } : undefined;
      case 'run.import':
        return runs.find(params.record.id)?.imported?.request === key ? { result: {} } : undefined;
      case 'checkpoint.commit':
        return runs.find(params.run)?.commits.has(key) ? { result: {} } : undefined;
      case 'control.take':
        return control.hasTaken(key) ? { result: {} } : undefined;
      default:
        return undefined;
    }
  };
}
