import type { Dashboard } from './dashboard.ts';
import { localWorkerName, type WorkerState } from './home.ts';
import { problemOf } from './problem.ts';

/** Starts the worker of this machine because somebody asked for it, over the screen. */
export function startLocalWorker(dashboard: Dashboard): void {
  const { dataDir } = dashboard;
  dashboard.waitFor(
    'Starting the worker of this machine',
    { message: 'looking for an engine' },
    async (signal, onProgress) => {
      const worker = await dashboard.client.ensureLocalWorker({
        ...(dataDir === undefined ? {} : { dataDir }),
        signal,
        onProgress,
      });
      dashboard.notice = { text: `${worker.name} is there.`, style: 'good' };
      dashboard.refreshHome();
    },
  );
}

/**
 * Starts the worker of this machine behind the screen, its progress in the list of workers. That
 * it cannot be had (no engine on a laptop that only drives Colab) is a state of it, not a problem.
 */
export function prepareLocalWorker(dashboard: Dashboard): void {
  const { dataDir, closing } = dashboard;
  const set = (state: WorkerState) => {
    const workerStates = new Map(dashboard.home.workerStates).set(localWorkerName, state);
    dashboard.home = { ...dashboard.home, workerStates };
    dashboard.changed();
  };
  set({ kind: 'starting', progress: { message: 'looking for the worker of this machine' } });
  dashboard.attempt(
    dashboard.client
      .ensureLocalWorker({
        ...(dataDir === undefined ? {} : { dataDir }),
        signal: closing,
        onProgress: (progress) => {
          if (!closing.aborted) set({ kind: 'starting', progress });
        },
      })
      .then(
        () => dashboard.refreshHome(),
        (error: unknown) => {
          if (!closing.aborted) set({ kind: 'unavailable', problem: problemOf(error) });
        },
      ),
  );
}
