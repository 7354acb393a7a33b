import { workerData } from 'node:worker_threads';
import { TeletrainError } from '../../shared/errors.ts';
import { clientFolders } from '../session/folders.ts';
import { LocalWorker } from '../session/local-worker.ts';
import { nodeSystem } from '../session/system.ts';
import { WorkerLinks } from '../session/worker-links.ts';
import { localName, PairedWorkers } from '../session/workers.ts';
import { TensorLink } from './tensor-link.ts';
import { type FromThread, shared, type ThreadData, type ToThread } from './thread-messages.ts';

/**
 * The thread that holds the connection to the worker. The program's own thread may be busy, or
 * asleep until a value arrives (`dataSync`); pings are answered and batches sent all the same.
 */

// What connect.ts gives it.
const { port, shared: sharedBuffer, session, target } = workerData as ThreadData;
const numbers = new Int32Array(sharedBuffer);

const environment =
  target.home === undefined ? process.env : { ...process.env, TELETRAIN_HOME: target.home };
const folders = clientFolders(environment);
const links = new WorkerLinks({
  paired: new PairedWorkers(folders),
  local: new LocalWorker({
    folder: folders.localWorker,
    home: folders.localWorkerHome,
    environment,
  }),
  system: nodeSystem,
});

process.on('exit', () => {
  Atomics.store(numbers, shared.gone, 1);
  wake();
});

try {
  await open();
} catch (error) {
  if (!(error instanceof TeletrainError)) throw error;
  end(error);
}

async function open(): Promise<void> {
  const name = await links.choose(target.on);
  if (name === localName) {
    await links.ensureLocal({
      onProgress: ({ message }) => tell({ type: 'progress', message }),
    });
  }
  const link = await links.to(name);
  const tensors = new TensorLink(link, session, {
    result: (message) => tell(message, message.type === 'data' ? [message.bytes] : []),
    progress: (taken, got) => {
      Atomics.store(numbers, shared.taken, taken);
      Atomics.store(numbers, shared.got, got);
      wake();
    },
    ended: end,
  });
  const { received: _, ...opened } = await tensors.open(target.patienceMs);
  port.on('message', (message: ToThread) => {
    if (message.type === 'commands') tensors.send(message.number, new Uint8Array(message.frame));
    else void tensors.close().then(() => leave());
  });
  tell({ type: 'opened', worker: name, ...opened });
}

function end(error: TeletrainError): void {
  tell({ type: 'ended', error: error.toJSON() });
  leave();
}

function leave(): void {
  links.close();
  port.close();
}

function tell(message: FromThread, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
  wake();
}

function wake(): void {
  Atomics.add(numbers, shared.told, 1);
  Atomics.notify(numbers, shared.told);
}
