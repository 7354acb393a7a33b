import type { TeletrainError } from '../../shared/errors.ts';
import type { Drawing, RunEvent, RunStatus } from '../../shared/events.ts';
import type { RunSummary } from '../../shared/run.ts';
import type { ConnectionEffect } from './connection-effects.ts';

export interface RunFollower {
  event(event: RunEvent): void;
  status(status: RunStatus): void;
  drawing(drawing: Drawing): void;
  followed(summary: RunSummary): void;
  failed(error: TeletrainError): void;
}

/** What a connection tells of a run. */
export type RunEffect = Extract<
  ConnectionEffect,
  { type: 'event' | 'status' | 'drawing' | 'followed' | 'follow-failed' }
>;

/** Who in this program is told of which run: one a run. */
export class RunFollowers {
  readonly #followers = new Map<string, RunFollower>();

  get count(): number {
    return this.#followers.size;
  }

  /** In place of whoever was told before. */
  set(run: string, follower: RunFollower): void {
    this.#followers.set(run, follower);
  }

  /** @returns false where another has taken its place. */
  remove(run: string, follower: RunFollower): boolean {
    return this.#followers.get(run) === follower && this.#followers.delete(run);
  }

  clear(): void {
    this.#followers.clear();
  }

  tell(effect: RunEffect): void {
    switch (effect.type) {
      case 'event':
        this.#followers.get(effect.event.run)?.event(effect.event);
        return;
      case 'status':
        this.#followers.get(effect.status.run)?.status(effect.status);
        return;
      case 'drawing':
        this.#followers.get(effect.drawing.run)?.drawing(effect.drawing);
        return;
      case 'followed':
        this.#followers.get(effect.run)?.followed(effect.summary);
        return;
      case 'follow-failed': {
        const follower = this.#followers.get(effect.run);
        this.#followers.delete(effect.run);
        follower?.failed(effect.error);
      }
    }
  }
}
