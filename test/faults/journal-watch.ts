import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJournal } from '../../client/session/journal-file.ts';
import type { RunEvent } from '../../shared/events.ts';
import type { Moment } from './schedule.ts';

const lookMs = 5;

/** How far the one run of a worker's home is, read from its journal's file: also while no gateway lives. */
export class JournalWatch {
  readonly #runs: string;
  #position = 0;
  #step = 0;
  #checkpoints = 0;
  #looking: Promise<void> | undefined;

  /** @param workerHome The worker's home. */
  constructor(workerHome: string) {
    this.#runs = join(workerHome, 'runs');
  }

  /** Resolves when the moment has come. @throws The signal's reason. */
  async until(moment: Moment, signal: AbortSignal): Promise<void> {
    const hasCome = (): boolean =>
      'step' in moment ? this.#step >= moment.step : this.#checkpoints >= moment.checkpoint;
    while (!hasCome()) {
      await sleep(lookMs, undefined, { signal });
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
      await this.#looking;
    }
    await sleep(moment.laterMs, undefined, { signal });
  }

  async #look(): Promise<void> {
    const [run] = await readdir(this.#runs).catch(() => []);
    if (run === undefined) return;
    const path = join(this.#runs, run, 'journal');
    const { end } = await readJournal(path, (event) => this.#take(event), this.#position);
    this.#position = end;
  }

  #take(event: RunEvent): void {
    if (event.type === 'metric' && event.per === 'step') {
      this.#step = Math.max(this.#step, event.step);
    }
    if (event.type === 'checkpoint') this.#checkpoints += 1;
  }
}
