import type { MethodName, ResultOf } from '../../shared/messages.ts';
import type { Caller } from './control-keeper.ts';
import type { FollowerOptions } from './follow.ts';
import type { Run } from './run.ts';
import type { ResultsOutlet } from './tensor-session.ts';

/** What a method is answered with. */
export interface Outcome<Method extends MethodName = MethodName> {
  readonly result: ResultOf<Method>;
  readonly payload?: Uint8Array;
  /** To be done once the answer is on disk, because it ends who would keep it there. */
  readonly afterwards?: () => void;
}

/** What a method may do to the connection that it was asked over. */
export interface AskingConnection extends ResultsOutlet {
  /** Who asks. */
  readonly caller: Caller;
  /** Follows a run from an event on; events begin after the request was answered. */
  follow(run: Run, from: Omit<FollowerOptions, 'onError'>): void;
  unfollow(run: string): void;
}
