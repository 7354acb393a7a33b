import type { RunEvent, RunState } from '../../../../shared/events.ts';
import { decodeFrame, encodeFrame } from '../../../../shared/frames.ts';
import {
  type FrameKind,
  type MethodName,
  methods,
  requestSchema,
} from '../../../../shared/messages.ts';

export const record = {
  format: 1 as const,
  id: 'digits-1',
  recipe: 'digits-pixel-rnn',
  settings: { epochs: 3, patience: 0 },
  quick: true,
  createdAt: 1,
  version: '0.1.0',
};

/** A numbered metric of the simulated run. */
export function metric(seq: number, value = seq): RunEvent {
  return {
    run: record.id,
    seq,
    time: 1_000 + seq,
    type: 'metric',
    step: seq,
    epoch: 1,
    split: 'train',
    per: 'step',
    name: 'loss',
    value,
  };
}

/**
 * A worker as far as a client's connection can tell, over the real frame codec: numbered events of
 * one run, replayed on run.follow, and a ledger of what was done for which request id. It outlives
 * any number of connections.
 */
export class SimulatedWorker {
  readonly events: RunEvent[] = [];
  /** How often each changing request was done. */
  readonly done = new Map<string, number>();
  epoch = 'epoch-1';
  /** What it says of the run to who follows it; a state that no event tells is of a full disk. */
  state: RunState = 'running';
  welcomes = 0;
  #following = false;
  #out: Uint8Array[] = [];

  /** What the worker has sent on this connection since last asked. */
  takeSent(): Uint8Array[] {
    const sent = this.#out;
    this.#out = [];
    return sent;
  }

  /** The socket broke: what was on its way is lost, and who followed is forgotten. */
  cut(): void {
    this.#out = [];
    this.#following = false;
  }

  /** @param isSent false leaves a gap in what the client hears. */
  append(event: RunEvent, isSent = true): void {
    this.events.push(event);
    if (this.#following && isSent) this.send('event', { event });
  }

  receive(message: Uint8Array): void {
    const frame = decodeFrame(message);
    if (frame.kind === 'hello') this.#welcome();
    if (frame.kind === 'ping') this.send('pong', frame.header);
    if (frame.kind !== 'request') return;
    const { id, method, params } = requestSchema.parse(frame.header);
    this.#perform(id, method as MethodName, params);
  }

  send(kind: FrameKind, header: unknown, payload?: Uint8Array): void {
    this.#out.push(encodeFrame(kind, header, payload));
  }

  #welcome(): void {
    this.welcomes += 1;
    this.send('welcome', {
      protocol: 1,
      worker: { id: 'w1', name: 'colab', version: '0.1.0', epoch: this.epoch, startedAt: 1 },
      capabilities: [],
      limits: {},
    });
  }

  #perform(id: string, method: MethodName, params: unknown): void {
    if (methods[method].changes && !this.done.has(id)) this.done.set(id, 1);
    if (method !== 'run.follow') {
      this.send('response', { id, result: {} });
      return;
    }
    const { fromSeq } = methods['run.follow'].params.parse(params);
    const summary = {
      record,
      state: this.state,
      step: 0,
      epoch: 1,
      lastSeq: this.events.length,
      firstSeq: 1,
      lives: [],
    };
    this.send('response', { id, result: { summary } });
    // Some more than was asked for, as after a request that was sent twice.
    for (const event of this.events.slice(Math.max(0, fromSeq - 4))) this.send('event', { event });
    this.#following = true;
  }
}
