import { Connection } from '../../../../client/session/connection.ts';
import type { ConnectionEffect } from '../../../../client/session/connection-effects.ts';
import { encodeFrame } from '../../../../shared/frames.ts';
import { SimulatedWorker } from './simulated-worker.ts';

export const client = { id: 'client-1', name: 'teletrain', version: '0.1.0' };
export const auth = { token: 'a-token' };

/** The machine, a worker and the wire between them, with a clock that the test moves. */
export class Wire {
  now = 0;
  isOpen = false;
  readonly worker = new SimulatedWorker();
  readonly machine: Connection;
  readonly effects: ConnectionEffect[] = [];
  readonly #toWorker: Uint8Array[] = [];
  readonly #toClient: Uint8Array[] = [];
  /** What the machine ever sent. */
  readonly sent: { kind: string; header: unknown }[] = [];

  constructor(lastEpoch?: string) {
    this.machine = new Connection({
      client,
      requestPrefix: 'p',
      random: () => 1,
      ...(lastEpoch === undefined ? {} : { lastEpoch }),
    });
  }

  do(effects: readonly ConnectionEffect[]): void {
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.type === 'send') {
        this.sent.push(effect);
        if (this.isOpen) {
          this.#toWorker.push(encodeFrame(effect.kind, effect.header, effect.payload));
        }
      }
      if (effect.type === 'close' || effect.type === 'terminate') this.#drop();
    }
  }

  /** Opens the socket that the machine asked for. */
  open(): void {
    this.isOpen = true;
    this.do(this.machine.opened(this.now, auth));
  }

  cut(): void {
    if (!this.isOpen) return;
    this.#drop();
    this.do(this.machine.closed(this.now, 1006, 'cut'));
  }

  #drop(): void {
    this.isOpen = false;
    this.#toWorker.length = 0;
    this.#toClient.length = 0;
    this.worker.cut();
  }

  up(count = Number.POSITIVE_INFINITY): void {
    for (const message of this.#toWorker.splice(0, count)) this.worker.receive(message);
    if (this.isOpen) this.#toClient.push(...this.worker.takeSent());
  }

  down(count = Number.POSITIVE_INFINITY): void {
    if (this.isOpen) this.#toClient.push(...this.worker.takeSent());
    for (const message of this.#toClient.splice(0, count)) {
      if (this.isOpen) this.do(this.machine.received(this.now, message));
    }
  }

  /** Lets the messages go to and fro until there are none. */
  settle(): void {
    for (let round = 0; round < 50; round += 1) {
      this.up();
      this.down();
    }
  }

  connect(): void {
    this.do(this.machine.start(this.now));
    this.open();
    this.settle();
  }

  wait(milliseconds: number): void {
    this.now += milliseconds;
    this.do(this.machine.tick(this.now));
  }

  lastRequestId(): string {
    const request = this.sent.findLast(({ kind }) => kind === 'request');
    if (!request) throw new Error('there was no request');
    return (request.header as { id: string }).id;
  }

  seqs(): number[] {
    return this.effects.flatMap((effect) => (effect.type === 'event' ? [effect.event.seq] : []));
  }

  answers(): string[] {
    return this.effects.flatMap((effect) => (effect.type === 'answer' ? [effect.id] : []));
  }

  rejections(): string[] {
    return this.effects.flatMap((e) => (e.type === 'rejected' ? [e.error.code] : []));
  }
}
