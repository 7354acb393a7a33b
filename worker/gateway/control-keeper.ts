import { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import { requestKeySchema } from '../../shared/events.ts';
import type { ControlState, MethodNeed, Role } from '../../shared/messages.ts';
import type { System } from '../../shared/system.ts';
import { nodeSystem } from '../system.ts';
import { Control, type ControllingClient, type ControlVerdict } from './control.ts';
import { isSystemError, writeFileDurably } from './durable-file.ts';

/** Who is at the other end of a connection. */
export interface Caller extends ControllingClient {
  readonly role: Role;
  /** Of the token by which it came (tokens.ts). */
  readonly tokenId: string;
  /** Only asks how the worker is: its client is not there by this connection, neither to have control nor to train. */
  readonly glances?: boolean;
}

/** A connection, as far as control goes. */
export interface ControlOutlet {
  readonly caller: Caller;
  /** Tells the client who has control, if it takes that. */
  sendControl(control: ControlState): void;
}

export interface ControlKeeperOptions {
  /** Control passed, from somebody or nobody. */
  readonly onPassed: (to: ControllingClient, from: ControllingClient | undefined) => void;
  readonly onFault: (what: string, error: unknown) => void;
  readonly system?: System;
}

const fileSchema = z.object({
  format: z.literal(1),
  holder: z.object({ id: z.string(), name: z.string() }),
  /** Keys of the requests by which control was taken, newest last. */
  takes: z.array(requestKeySchema).optional(),
});

/** A person takes control; nobody asks again for one that is older than so many others. */
const keptTakes = 64;

/** Keeps who has control on disk, so that a restart changes nothing, and tells every client of it. */
export class ControlKeeper {
  readonly #path: string;
  readonly #control: Control;
  readonly #options: ControlKeeperOptions;
  readonly #system: System;
  readonly #outlets = new Set<ControlOutlet>();
  #takes: readonly string[];
  /** Ends of connections on which a change was asked for, and not refused. */
  readonly #changing = new WeakSet<Caller>();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    path: string,
    control: Control,
    takes: readonly string[],
    options: ControlKeeperOptions,
  ) {
    this.#path = path;
    this.#control = control;
    this.#takes = takes;
    this.#options = options;
    this.#system = options.system ?? nodeSystem;
  }

  /** A file that cannot be read says nothing: then nobody has control yet. */
  static async open(path: string, options: ControlKeeperOptions): Promise<ControlKeeper> {
    const { disk, clock } = options.system ?? nodeSystem;
    let kept: Partial<z.infer<typeof fileSchema>> = {};
    try {
      kept = fileSchema.parse(JSON.parse(await disk.readFile(path, 'utf8')));
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) options.onFault('reading who has control', error);
    }
    const { holder, takes = [] } = kept;
    return new ControlKeeper(path, new Control(holder, clock.monotonic()), takes, options);
  }

  /** A connection was welcomed; it is told at once. */
  arrived(outlet: ControlOutlet): void {
    const { caller } = outlet;
    this.#outlets.add(outlet);
    if (isThere(caller)) this.#control.arrived(caller);
    if (this.#control.holder?.id === caller.id) this.#tellAll();
    else outlet.sendControl(this.stateFor(caller));
  }

  /** @param saidGoodbye whether the client closed it. */
  left(outlet: ControlOutlet, saidGoodbye: boolean): void {
    // One that was never welcomed never arrived.
    if (!this.#outlets.delete(outlet) || !isThere(outlet.caller)) return;
    const { caller } = outlet;
    const goodbye = this.#changing.has(caller) ? 'done' : 'looked';
    const ending = saidGoodbye ? goodbye : 'broke';
    this.#control.left(caller, ending, this.#system.clock.monotonic());
    if (this.#control.holder?.id === caller.id) this.#tellAll();
  }

  stateFor({ id, role }: Caller): ControlState {
    const state = this.#control.stateFor(id);
    return { ...state, yours: state.yours && role === 'control' };
  }

  /**
   * Sees to it that a client may ask for what needs this; it may get control by that.
   * @returns undefined where there is nothing to wait for. @throws TeletrainError `not-controller`.
   */
  require(caller: Caller, need: MethodNeed): Promise<void> | undefined {
    return need === 'control' ? this.#claim(caller) : undefined;
  }

  async #claim(caller: Caller): Promise<void> {
    const verdict = this.#control.claim(caller, this.#system.clock.monotonic());
    if (verdict.kind === 'refused') throw notController(verdict.holder);
    await this.#settle(caller, verdict);
  }

  /** Whether control passed by the request of this key. */
  hasTaken(request: string): boolean {
    return this.#takes.includes(request);
  }

  /** @throws TeletrainError `control-moved` where somebody else than `from` has it. */
  async take(caller: Caller, from: string | undefined, request?: string): Promise<void> {
    const verdict = this.#control.take(caller, from, this.#system.clock.monotonic());
    if (verdict.kind === 'refused') throw controlMoved(verdict.holder);
    if (verdict.kind === 'granted' && request !== undefined) {
      this.#takes = [...this.#takes, request].slice(-keptTakes);
    }
    await this.#settle(caller, verdict);
  }

  /** On disk before anything is done by it, and told to everybody. */
  async #settle(
    caller: Caller,
    verdict: Exclude<ControlVerdict, { kind: 'refused' }>,
  ): Promise<void> {
    this.#changing.add(caller);
    if (verdict.kind === 'granted') {
      this.#tellAll();
      this.#options.onPassed(caller, verdict.from);
      this.#turn = this.#turn.then(() => this.#write());
    }
    await this.#turn;
  }

  async #write(): Promise<void> {
    const { holder } = this.#control;
    const text = `${JSON.stringify({ format: 1, holder, takes: this.#takes })}\n`;
    try {
      await writeFileDurably(this.#path, text, this.#system);
    } catch (error) {
      // A full disk must not keep anybody from stopping a run; only a restart will not know.
      this.#options.onFault('keeping who has control', error);
    }
  }

  #tellAll(): void {
    for (const outlet of this.#outlets) outlet.sendControl(this.stateFor(outlet.caller));
  }
}

/** Whether a connection counts as its client's being there to have control. */
const isThere = ({ role, glances }: Caller): boolean => role === 'control' && !glances;

function notController({ name }: ControllingClient): TeletrainError {
  return new TeletrainError('not-controller', `"${name}" has control of this worker.`, {
    hint: 'Ask there, or take control over with: teletrain take.',
  });
}

function controlMoved({ name }: ControllingClient): TeletrainError {
  return new TeletrainError('control-moved', `"${name}" has control of this worker now.`, {
    hint: 'See whether you want to take it from there, then try again: teletrain take.',
  });
}
