import type {
  Invitation,
  RunHandle,
  RunListItem,
  StartOptions,
  TeletrainClient,
  WorkerReference,
} from '../../../../client/session/types.ts';
import { TeletrainError } from '../../../../shared/errors.ts';
import type { RunState } from '../../../../shared/events.ts';
import type { RecipeName } from '../../../../shared/recipes.ts';
import { nativeEngine, recordOf, ScriptedRun } from './scripted-run.ts';

/** A worker and runs on this machine, as a test lists them. */
export class ScriptedClient implements TeletrainClient {
  workerList: WorkerReference[] = [
    { name: 'local', url: 'ws://127.0.0.1:7431', local: true, addedAt: 0 },
  ];
  runList: RunListItem[] = [];
  readonly opened = new Map<string, ScriptedRun>();
  readonly asked: string[] = [];
  readonly started: StartOptions[] = [];
  /** What a worker says otherwise than the others. */
  readonly infos = new Map<string, Partial<Awaited<ReturnType<TeletrainClient['workerInfo']>>>>();
  refuseWith: Error | undefined;
  closed = false;

  #fail(): void {
    const error = this.refuseWith;
    this.refuseWith = undefined;
    if (error) throw error;
  }

  async workers(): Promise<readonly WorkerReference[]> {
    return this.workerList;
  }
  async connectWorker(
    url: string,
    { code, name, pin }: { code: string; name?: string; pin?: string },
  ): Promise<WorkerReference> {
    this.asked.push(['connect', url, code, name, pin].filter(Boolean).join(' '));
    this.#fail();
    const worker = { name: name ?? 'colab', url, local: false, addedAt: Date.now() };
    this.workerList = [...this.workerList, worker];
    return worker;
  }
  async workerInfo(name: string): ReturnType<TeletrainClient['workerInfo']> {
    if (!this.workerList.some((worker) => worker.name === name))
      throw new TeletrainError('unknown-worker', `There is no worker "${name}".`, {
        hint: 'See "teletrain workers".',
      });
    return {
      name,
      version: '0.1.0',
      pid: 4711,
      home: '/tmp/worker',
      engine: nativeEngine,
      uptimeMs: 61_000,
      freeDiskBytes: 50e9,
      roundTripMs: 0.4,
      ...this.infos.get(name),
    };
  }
  async stopWorker(name: string): Promise<void> {
    this.asked.push(`stop worker ${name}`);
    this.#fail();
    this.workerList = this.workerList.filter((worker) => worker.name !== name);
  }
  async inviteObserver(name = 'colab'): Promise<Invitation> {
    return { worker: name, url: 'wss://example/', code: 'K7QM-2XPD', expiresAt: 1 };
  }
  async observers(name = 'colab'): ReturnType<TeletrainClient['observers']> {
    return { worker: name, observers: [] };
  }
  async revokeObserver(): ReturnType<TeletrainClient['revokeObserver']> {
    throw new Error('nobody observes');
  }
  async takeControl(name = 'colab'): Promise<{ worker: string; from?: string }> {
    this.asked.push(`take control of ${name}`);
    return { worker: name };
  }
  async forgetWorker(name: string): Promise<void> {
    this.asked.push(`forget worker ${name}`);
    this.workerList = this.workerList.filter((worker) => worker.name !== name);
  }
  async ensureLocalWorker(
    options: Parameters<TeletrainClient['ensureLocalWorker']>[0] = {},
  ): Promise<WorkerReference> {
    this.asked.push('ensure local worker');
    options.onProgress?.({ message: 'compiling the engine', done: 3, total: 10 });
    this.#fail();
    const local = this.workerList.find((worker) => worker.local) ?? {
      name: 'local',
      url: 'ws://127.0.0.1:7431',
      local: true,
      addedAt: Date.now(),
    };
    if (!this.workerList.includes(local)) this.workerList = [local, ...this.workerList];
    return local;
  }
  async runs(): Promise<readonly RunListItem[]> {
    return this.runList;
  }
  async startRun(options: StartOptions): Promise<RunHandle> {
    this.started.push(options);
    this.#fail();
    const run = new ScriptedRun(
      recordOf(options.recipe, {
        quick: options.quick ?? false,
        settings: { ...options.settings },
      }),
      { worker: options.on ?? 'local' },
    );
    this.opened.set(run.id, run);
    return run;
  }
  async openRun(id: string): Promise<RunHandle> {
    this.asked.push(`open ${id}`);
    this.#fail();
    const run = this.opened.get(id);
    if (!run)
      throw new TeletrainError('unknown-run', `There is no run "${id}".`, {
        hint: 'See "teletrain runs".',
      });
    return run;
  }
  async resumeRun(id: string, options: { on?: string } = {}): Promise<RunHandle> {
    this.asked.push(`resume ${id} on ${options.on ?? 'its worker'}`);
    this.#fail();
    return this.openRun(id);
  }
  async checkpoints(): ReturnType<TeletrainClient['checkpoints']> {
    return [];
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Runs listed as the store lists them, for states that a list shows. */
export const listed = (
  recipe: RecipeName,
  state: RunState,
  options: Partial<RunListItem> & { id?: string } = {},
): RunListItem => {
  const record = recordOf(recipe, options.id === undefined ? {} : { id: options.id });
  return {
    record,
    state,
    step: 100,
    epoch: 1,
    epochs: 10,
    directory: `/tmp/runs/${record.id}`,
    lastHeardAt: Date.now(),
    ...options,
  };
};
