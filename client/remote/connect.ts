import { randomBytes } from 'node:crypto';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { EngineReport } from '../../shared/engine-report.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { CommandQueue } from './command-queue.ts';
import type { CreateModelOptions, RemoteModel } from './model.ts';
import {
  type FromThread,
  type OpenedSession,
  sharedBytes,
  type Target,
  type ThreadData,
} from './thread-messages.ts';

export interface ConnectOptions {
  /** In place of TELETRAIN_HOME: where this client's paired workers are known. */
  readonly home?: string;
  /**
   * How long the worker may be out of reach, in ms, at first and later, before the session and its
   * tensors are given up. Default: 60 s, after which the worker gives them up too.
   */
  readonly patienceMs?: number;
  /** What the worker must compute on. Default: whatever it has; `engine.device` of the session says what. */
  readonly require?: 'gpu';
  /** What is being done until the worker is there: a local one may have to be set up. */
  readonly onProgress?: (message: string) => void;
}

/** A worker whose engine is tfjs' backend `remote`. */
export interface RemoteSession {
  readonly worker: string;
  readonly engine: EngineReport;
  /** What the session may hold on the worker. */
  readonly quota: { readonly bytes: number; readonly tensors: number };
  /**
   * Makes a model on the worker, without waiting for it: commands may follow at once, and where it
   * cannot be made each of them tells why.
   * @throws TeletrainError `no-models` (an older worker).
   */
  createModel(options: CreateModelOptions): RemoteModel;
  /**
   * Frees all tensors and models on the worker and removes the backend; a program that ends does so by
   * itself. Whatever is then asked of them throws `tensor-session-closed`. Closing again does nothing.
   */
  close(): void;
}

/** How long a program that ends at once waits until its worker was told, in ms: an engine left behind holds memory for a minute. */
const farewellMs = 3_000;

/**
 * Connects to a worker and registers its engine with tfjs as the backend `remote`:
 *
 *     const session = await connect('colab');
 *     tf.setBackend('remote');
 *
 * From then on tensors live on the worker and every operation runs there; reading a tensor waits for
 * it. A program has one session at a time, since tfjs has one backend of a name; a program that is to
 * use two workers at once is two processes.
 * @param on name or address of a paired worker; by default the one on this machine, which is
 *   started where it does not run.
 * @throws TeletrainError `not-paired`, `worker-lost`, `no-tensors` (an older worker),
 *   `too-many-tensor-sessions`, `tfjs-missing`, `already-connected`, `gpu-required`.
 */
export async function connect(on?: string, options: ConnectOptions = {}): Promise<RemoteSession> {
  const { registerRemote, requireUnregistered, RemoteModels } = await loadBackend();
  // Before an engine is started for nothing.
  requireUnregistered();
  const { home, patienceMs = 60_000, onProgress } = options;
  const target: Target = {
    patienceMs,
    ...(on === undefined ? {} : { on }),
    ...(home === undefined ? {} : { home }),
  };
  const session = randomBytes(18).toString('base64url');
  const buffer = new SharedArrayBuffer(sharedBytes);
  const { port1, port2 } = new MessageChannel();
  const data: ThreadData = { port: port2, shared: buffer, session, target };
  // A thread has its program's options, but those of a program given as text would be refused for a file.
  const isText = process.execArgv.some((option) => option.startsWith('--input-type'));
  const thread = new Worker(threadProgram(), {
    workerData: data,
    transferList: [port2],
    ...(isText ? { execArgv: [] } : {}),
  });
  const opened = await openedSession(thread, port1, onProgress);
  thread.unref();
  const queue = new CommandQueue(port1, new Int32Array(buffer), session);
  const register = () => {
    if (options.require === 'gpu' && opened.engine.device !== 'gpu') throw withoutGpu(opened);
    // Another call may have been first in the meantime.
    return registerRemote(queue, opened.kernels);
  };
  let registered: ReturnType<typeof register>;
  try {
    registered = register();
  } catch (error) {
    thread.ref();
    queue.close();
    throw error;
  }
  const { backend, unregister } = registered;
  const models = new RemoteModels(queue, backend);
  let isClosed = false;
  const close = (): void => {
    // Later the backend may be another session's.
    if (isClosed) return;
    isClosed = true;
    // The program ends when the worker has been told.
    thread.ref();
    process.off('beforeExit', close);
    unregister();
  };
  process.on('beforeExit', close);
  // What ends at once, by process.exit or an error that nobody caught, ends the thread with it.
  const leave = (): void => {
    close();
    queue.sleepUntilGone(farewellMs);
  };
  process.on('exit', leave);
  thread.once('exit', () => process.off('exit', leave));
  const { worker, engine, bytes, handles, hasModels } = opened;
  return {
    worker,
    engine,
    quota: { bytes, tensors: handles },
    createModel(options) {
      if (hasModels) return models.create(options);
      throw new TeletrainError('no-models', 'The worker takes no commands on models.', {
        hint: 'Update the worker.',
      });
    },
    close,
  };
}

function withoutGpu({ worker, engine }: OpenedSession): TeletrainError {
  const reason = engine.candidates.find(({ name }) => name === 'native-gpu')?.reason;
  const why = reason === undefined ? '' : `: ${reason}`;
  return new TeletrainError('gpu-required', `The worker ${worker} computes on its CPU${why}.`, {
    hint: 'Choose a worker with a GPU, or do without one by not requiring it.',
  });
}

/** What the thread says until the session is open. */
function openedSession(
  thread: Worker,
  port: import('node:worker_threads').MessagePort,
  onProgress: ConnectOptions['onProgress'],
): Promise<OpenedSession> {
  const { promise, resolve, reject } = Promise.withResolvers<OpenedSession>();
  const hear = (message: FromThread): void => {
    if (message.type === 'progress') onProgress?.(message.message);
    if (message.type === 'opened') resolve(message);
    if (message.type === 'ended') {
      const { code, message: what, hint } = message.error;
      reject(new TeletrainError(code, what, { hint }));
    }
  };
  port.on('message', hear);
  thread.once('error', reject);
  return promise.finally(() => {
    port.off('message', hear);
    thread.off('error', reject);
  });
}

function threadProgram(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./connection-thread.${extension}`, import.meta.url);
}

/** tfjs is an optional package of this one: a laptop that only follows runs has none. */
async function loadBackend() {
  try {
    const { registerRemote, requireUnregistered } = await import('./register.ts');
    const { RemoteModels } = await import('./remote-models.ts');
    return { registerRemote, requireUnregistered, RemoteModels };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new TeletrainError(
      'tfjs-missing',
      'The package @tensorflow/tfjs-core is not installed.',
      {
        hint: 'Install @tensorflow/tfjs beside teletrain.',
        cause,
      },
    );
  }
}
