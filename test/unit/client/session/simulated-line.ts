import type { OpenSocket, SocketListener } from '../../../../client/session/socket.ts';
import type { SimulatedWorker } from './simulated-worker.ts';

/** The sockets of a client's link to a simulated worker, which answers each message at once. */
export class SimulatedLine {
  readonly #worker: SimulatedWorker;
  readonly sockets: { readonly listener: SocketListener; isEnded: boolean }[] = [];
  /** Nothing arrives at the worker any more. */
  isSilent = false;

  constructor(worker: SimulatedWorker) {
    this.#worker = worker;
  }

  readonly open: OpenSocket = (_url, listener) => {
    const socket = { listener, isEnded: false };
    this.sockets.push(socket);
    const end = () => {
      socket.isEnded = true;
    };
    return {
      send: (_priority, message) => {
        if (this.isSilent) return;
        this.#worker.receive(message);
        this.deliver();
      },
      hasRoom: () => true,
      pause: () => {},
      resume: () => {},
      close: end,
      terminate: end,
    };
  };

  /** Gives the client what the worker sent by itself. */
  deliver(): void {
    const listener = this.sockets.at(-1)?.listener;
    for (const message of this.#worker.takeSent()) listener?.received(message);
  }
}
