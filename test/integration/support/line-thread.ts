import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { BadLine } from '../proxy.ts';

type Order = 'cut' | 'down' | 'up';

/** A bad line in a thread of its own: it carries on while this thread sleeps until a value comes. */
export class LineThread implements AsyncDisposable {
  readonly url: string;
  readonly #thread: Worker;

  private constructor(url: string, thread: Worker) {
    this.url = url;
    this.#thread = thread;
  }

  static async to(workerUrl: string): Promise<LineThread> {
    const thread = new Worker(new URL(import.meta.url), { workerData: workerUrl });
    const url = await new Promise<string>((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', reject);
    });
    return new LineThread(url, thread);
  }

  order(order: Order): void {
    this.#thread.postMessage(order);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread.terminate();
  }
}

if (!isMainThread && parentPort && typeof workerData === 'string') {
  const line = await BadLine.to(workerData);
  parentPort.on('message', (order: Order) => {
    if (order !== 'cut') line.isDown = order === 'down';
    if (order !== 'up') line.cut();
  });
  parentPort.postMessage(line.url);
}
