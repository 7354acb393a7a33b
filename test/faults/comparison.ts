import assert from 'node:assert/strict';
import {
  DisturbedRunError,
  type DisturbedRunOptions,
  type DisturbedRunReport,
  disturbedRun,
} from './disturbed-run.ts';
import type { Outcome } from './outcome.ts';
import type { Schedule } from './schedule.ts';
import { type WorkloadName, workloads } from './workloads.ts';

/** Disturbs runs and compares each with one of the same workload to which nothing happened. */
export class Comparison {
  readonly #options: DisturbedRunOptions;
  readonly #undisturbed = new Map<WorkloadName, Promise<Outcome>>();

  constructor(options: DisturbedRunOptions) {
    this.#options = options;
  }

  /** @throws DisturbedRunError, also where it ended otherwise than the undisturbed one. */
  async disturb(schedule: Schedule): Promise<DisturbedRunReport> {
    const expected = await this.undisturbed(schedule.workload);
    const report = await disturbedRun(schedule, this.#options);
    try {
      assert.deepEqual(report.outcome, expected, 'it ended as the undisturbed run did');
    } catch (error) {
      throw new DisturbedRunError(error, report.log);
    }
    return report;
  }

  undisturbed(workload: WorkloadName): Promise<Outcome> {
    const known = this.#undisturbed.get(workload);
    if (known) return known;
    const outcome = this.#runUndisturbed(workload);
    this.#undisturbed.set(workload, outcome);
    return outcome;
  }

  async #runUndisturbed(workload: WorkloadName): Promise<Outcome> {
    const schedule: Schedule = {
      ...{ seed: 0, workload, client: 'command', faults: [] },
      line: { toWorker: {}, toClient: {} },
    };
    const { outcome } = await disturbedRun(schedule, this.#options);
    const { epochs, stepsPerEpoch } = workloads[workload];
    assert.equal(outcome.state, 'done');
    assert.equal(outcome.step, epochs * stepsPerEpoch);
    return outcome;
  }
}
