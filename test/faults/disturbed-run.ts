import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../client/session/client.ts';
import { readJournal } from '../../client/session/journal-file.ts';
import type { RunEvent } from '../../shared/events.ts';
import { createRandom } from '../../worker/engine/random.ts';
import { workerFolders } from '../../worker/folders.ts';
import { WorkerProcess } from '../integration/support/worker-process.ts';
import { childrenOf, isAlive } from './child-processes.ts';
import { ClientAttempts, type ClientEnd } from './client-attempts.ts';
import { FaultProxy } from './fault-proxy.ts';
import { FillingDisk } from './filling-disk.ts';
import { JournalWatch } from './journal-watch.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import type { Fault, Schedule, Trouble } from './schedule.ts';

/** A run that has not ended by then hangs. Undisturbed it takes 3 s on two idle cores. */
const longestMs = 180_000;
const answerMs = 1_000;
const mostAttempts = 25;
const workerName = 'worker';
/** Errors of a client that no fault of ours may cause. */
const neverTold = new Set([
  ...['internal', 'internal-error', 'run-diverged', 'events-ahead', 'events-missing'],
  ...['no-checkpoint', 'checkpoint-corrupt', 'journal-unreadable', 'damaged-file', 'wrong-token'],
]);

export interface DisturbedRunOptions {
  /** Of `fullDiskLibrary`; without it no disk may become full. */
  readonly library: string | undefined;
}

export interface DisturbedRunReport {
  readonly outcome: Outcome;
  /** How many of the schedule's faults began before the run was over. */
  readonly begun: number;
  readonly log: readonly string[];
}

interface Disks {
  readonly worker: FillingDisk;
  readonly client: FillingDisk;
}

/** What went wrong in a disturbed run, with all that happened before it. */
export class DisturbedRunError extends Error {
  readonly log: readonly string[];

  constructor(cause: unknown, log: readonly string[]) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.log = log;
  }
}

/**
 * Trains one run with a worker, its engine and a client in processes of their own, a fault proxy
 * between them, and does what the schedule says. Whoever was killed is started again; the client is
 * started again as well when it ends with an error, as a person would do it.
 * @throws DisturbedRunError where the run does not come to its end or left what it must not.
 */
export async function disturbedRun(
  schedule: Schedule,
  options: DisturbedRunOptions,
): Promise<DisturbedRunReport> {
  const log: string[] = [];
  try {
    await using run = await DisturbedRun.begin(schedule, options, log);
    try {
      return await run.toTheEnd();
    } finally {
      await run.noteJournal();
    }
  } catch (error) {
    throw new DisturbedRunError(error, log);
  }
}

class DisturbedRun implements AsyncDisposable {
  readonly #schedule: Schedule;
  readonly #folder: string;
  readonly #log: string[];
  readonly #startedAt = performance.now();
  readonly #startedTime = Date.now();
  readonly #disks: Disks | undefined;
  readonly #proxy: FaultProxy;
  readonly #watch: JournalWatch;
  readonly #client: ClientAttempts;
  readonly #over = new AbortController();
  #worker: WorkerProcess | undefined;
  /** What is done with the gateway's process is done one after the other. */
  #gatewayTurn: Promise<void> = Promise.resolve();
  /** Nobody starts a client before then. */
  #clientAwayUntil = 0;
  #begun = 0;

  private constructor(
    schedule: Schedule,
    folder: string,
    log: string[],
    disks: Disks | undefined,
    proxy: FaultProxy,
  ) {
    this.#schedule = schedule;
    this.#folder = folder;
    this.#log = log;
    this.#disks = disks;
    this.#proxy = proxy;
    this.#watch = new JournalWatch(this.#workerHome);
    this.#client = new ClientAttempts({
      home: this.#clientHome,
      worker: workerName,
      workload: schedule.workload,
      kind: schedule.client,
      environment: disks?.client.environment ?? {},
    });
  }

  static async begin(
    schedule: Schedule,
    { library }: DisturbedRunOptions,
    log: string[],
  ): Promise<DisturbedRun> {
    const folder = await mkdtemp(join(tmpdir(), 'teletrain-faults-'));
    const disk = (name: string, path: string): Promise<FillingDisk> =>
      FillingDisk.of(join(folder, name), path, join(folder, `${name}-room`));
    const disks = library
      ? { worker: await disk('worker', library), client: await disk('client', library) }
      : undefined;
    const proxy = await FaultProxy.listen({ random: createRandom(schedule.seed, 'line') });
    const run = new DisturbedRun(schedule, folder, log, disks, proxy);
    try {
      await run.#pair();
    } catch (error) {
      await run[Symbol.asyncDispose]();
      throw error;
    }
    return run;
  }

  get #workerHome(): string {
    return join(this.#folder, 'worker');
  }

  get #clientHome(): string {
    return join(this.#folder, 'client');
  }

  /** Does all of the schedule, follows the run to its end and looks at what is left. */
  async toTheEnd(): Promise<DisturbedRunReport> {
    const tooLong = AbortSignal.timeout(longestMs);
    const hangs = new Promise<never>((_, reject) => {
      tooLong.addEventListener('abort', async () => {
        this.#client.ask();
        await sleep(answerMs);
        reject(new Error(`the run did not end within ${longestMs / 1000} s`));
      });
    });
    const faults = this.#schedule.faults.map((fault) => this.#perform(fault));
    // Looked at below; a failure in between must not end the process.
    for (const fault of faults) fault.catch(() => {});
    const last = await Promise.race([this.#followToTheEnd(), hangs]);
    // Those that did not begin are too late; what began is lifted first.
    this.#over.abort();
    await Promise.race([Promise.all(faults), hangs]);
    await this.#gatewayTurn;
    const outcome = await Promise.race([this.#look(last), hangs]);
    return { outcome, begun: this.#begun, log: this.#log };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    this.#client.kill();
    await this.#gatewayTurn.catch(() => {});
    await this.#worker?.kill();
    await this.#proxy[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Notes all events but metrics, as the worker journaled them: what a person looks at first. */
  async noteJournal(): Promise<void> {
    for (const run of await readdir(join(this.#workerHome, 'runs')).catch(() => [])) {
      const note = ({ seq, type, run: _, time, ...event }: RunEvent): void => {
        if (type === 'metric' || type === 'sample' || type === 'epoch') return;
        const layers =
          'report' in event
            ? event.report.layers?.map(({ layer, used }) => `${layer} ${used}`)
            : [];
        const shown = 'report' in event ? { layers, differs: event.differs } : event;
        const at = ((time - this.#startedTime) / 1000).toFixed(2);
        this.#log.push(`${at.padStart(7)}  event ${seq}: ${type} ${JSON.stringify(shown)}`);
      };
      await readJournal(join(this.#workerHome, 'runs', run, 'journal'), note).catch(() => {});
    }
  }

  #note(text: string): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(2);
    this.#log.push(`${seconds.padStart(7)}  ${text}`);
  }

  async #pair(): Promise<void> {
    const code = await this.#startWorker();
    const client = createClient({ home: this.#clientHome });
    await client.connectWorker(this.#proxy.url, { code, name: workerName });
    await client.close();
    this.#proxy.conditions = this.#schedule.line;
  }

  /** @returns its pairing code; an empty one where somebody is paired. */
  async #startWorker(): Promise<string> {
    const worker = new WorkerProcess(this.#workerHome, {
      compiled: true,
      args: ['--parent-watch'],
      environment: {
        // Set up once, not for each home.
        TELETRAIN_CACHE: workerFolders().cache,
        // Else what else the machine does decides by which way a run is computed, and so its bits.
        TELETRAIN_IMPLEMENTATION: 'kernel',
        ...this.#disks?.worker.environment,
      },
    });
    this.#worker = worker;
    const { url, code } = await worker.listening();
    this.#proxy.target = Number(new URL(url).port);
    this.#note(`the worker listens, process ${worker.child.pid}`);
    return code;
  }

  async #perform({ at, trouble }: Fault): Promise<void> {
    try {
      await this.#watch.until(at, this.#over.signal);
    } catch (error) {
      if (this.#over.signal.aborted) return;
      throw error;
    }
    this.#begun += 1;
    this.#note(`${trouble.kind} begins`);
    await this.#do(trouble);
    this.#note(`${trouble.kind} is over`);
  }

  async #do(trouble: Trouble): Promise<void> {
    const proxy = this.#proxy;
    switch (trouble.kind) {
      case 'cut':
        proxy.cutAfter(trouble.direction, trouble.afterBytes, trouble.how);
        return;
      case 'down':
        proxy.goDown();
        await sleep(trouble.ms);
        proxy.comeUp();
        return;
      case 'half-open':
        proxy.vanish();
        await sleep(trouble.ms);
        proxy.reappear(trouble.afterwards);
        return;
      case 'slow': {
        const { bytesPerSecond } = trouble;
        proxy.conditions = { toWorker: { bytesPerSecond }, toClient: { bytesPerSecond } };
        await sleep(trouble.ms);
        proxy.conditions = this.#schedule.line;
        return;
      }
      case 'kill-engine':
        await this.#killEngine();
        return;
      case 'kill-gateway':
        this.#gatewayTurn = this.#gatewayTurn.then(() => this.#killGateway(trouble.ms));
        await this.#gatewayTurn;
        return;
      case 'kill-client':
        this.#clientAwayUntil = performance.now() + trouble.ms;
        if (!this.#client.kill()) this.#note('there was no client to kill');
        return;
      case 'worker-disk-full':
      case 'client-disk-full': {
        const disk = this.#disks?.[trouble.kind === 'worker-disk-full' ? 'worker' : 'client'];
        if (!disk) throw new Error('this schedule needs the library that makes a disk full');
        await disk.fill(trouble.room);
        await sleep(trouble.ms);
        await disk.free();
      }
    }
  }

  async #killEngine(): Promise<void> {
    const gateway = this.#worker?.child.pid;
    const [engine] = gateway === undefined ? [] : await childrenOf(gateway);
    if (engine === undefined) this.#note('there was no engine to kill');
    else process.kill(engine, 'SIGKILL');
  }

  async #killGateway(ms: number): Promise<void> {
    this.#proxy.target = undefined;
    await this.#endWorker((worker) => worker.kill());
    await sleep(ms);
    // It cannot start while its disk is full; who needs it tries again.
    for (;;) {
      try {
        await this.#startWorker();
        return;
      } catch (error) {
        if (!this.#worker?.lines.some(({ event }) => event === 'error')) throw error;
        await this.#endWorker((worker) => worker.kill());
        await sleep(200);
      }
    }
  }

  async #endWorker(end: (worker: WorkerProcess) => Promise<unknown>): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    await end(worker);
    this.#worker = undefined;
    for (const line of worker.lines) this.#note(`worker: ${JSON.stringify(line)}`);
    for (const line of worker.errors) this.#note(`worker, standard error: ${line}`);
    const fault = worker.lines.find(
      ({ event, message }) => event === 'warning' && /\n\s+at /.test(String(message)),
    );
    assert.equal(fault?.message, undefined, 'the worker met no error that it does not know');
    assert.deepEqual(worker.errors, [], "nothing is on the worker's standard error");
  }

  /** @returns the client's process that saw the run's end. */
  async #followToTheEnd(): Promise<ClientEnd> {
    for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
      const end = await this.#client.next();
      this.#note(`client "${end.args.slice(0, 2).join(' ')}" ended: ${howIt(end)}`);
      for (const line of end.stderr.trim().split('\n')) if (line) this.#note(`client: ${line}`);
      if (end.code === 0) return end;
      if (neverTold.has(end.error ?? '')) throw new Error(`the client told ${lastWords(end)}`);
      const isTold = end.killed || end.error !== undefined || end.code === 1 || end.code === 3;
      if (!isTold) throw new Error(`the client ended with ${end.code} and without a word`);
      const away = this.#clientAwayUntil - performance.now();
      await sleep(Math.max(end.killed ? 0 : 200, away));
    }
    throw new Error(`the client did not see the run's end in ${mostAttempts} attempts`);
  }

  async #look(last: ClientEnd): Promise<Outcome> {
    const worker = this.#worker;
    assert.ok(worker, 'the worker lives');
    const engines = await childrenOf(worker.child.pid ?? 0);
    await this.#endWorker(async () => {
      assert.deepEqual(await worker.stop(), { code: 0, signal: null }, 'the worker ends in order');
    });
    for (const engine of engines) assert.ok(!isAlive(engine), 'no engine outlives its worker');
    const runs = await readdir(join(this.#workerHome, 'runs'));
    assert.equal(runs.length, 1, 'the worker has one run');
    const [run = ''] = runs;
    const onWorker = join(this.#workerHome, 'runs', run);
    const outcome = await outcomeOf({ run, onWorker, clientHome: this.#clientHome });
    const printed = last.stdout.trimEnd().split('\n');
    const seqs = printed.map((line) => JSON.parse(line).seq);
    assert.deepEqual(
      seqs,
      seqs.map((_, index) => index + 1),
      'the client printed every event once, in order',
    );
    return outcome;
  }
}

function howIt({ code, killed, error }: ClientEnd): string {
  if (killed) return 'killed';
  return `code ${code}${error === undefined ? '' : `, ${error}`}`;
}

function lastWords({ stdout, stderr }: ClientEnd): string {
  return `${stdout.trimEnd().split('\n').at(-1)} ${stderr}`;
}
