import { isFinal } from '../../../shared/events.ts';
import type { RunListItem } from '../../session/types.ts';

const staleMs = 2 * 60_000;

/**
 * How long ago a listed run was last heard of, in ms, where its state is one that passes and so
 * long ago that it says little of now; undefined where the state can be taken as it is.
 */
export function unheardMs(
  { state, lastHeardAt }: Pick<RunListItem, 'state' | 'lastHeardAt'>,
  now: number,
): number | undefined {
  const silence = now - lastHeardAt;
  // An interrupted run waits for somebody: nothing more is to be heard of it.
  return isFinal(state) || silence < staleMs ? undefined : silence;
}
