/** Frames of a stack that are kept: tfjs' own take some ten of them, gradients more. */
const framesKept = 30;

interface IssuedCall {
  readonly call: number;
  readonly trace: { readonly stack?: string };
}

/** The lines that asked for kernels which the worker is not done with. */
export class IssuedCalls {
  /** In the order of their numbers. */
  #calls: IssuedCall[] = [];
  #failed: IssuedCall | undefined;

  get size(): number {
    return this.#calls.length;
  }

  /** Notes where the current call comes from: who called `asker`. */
  add(call: number, asker: (...args: never) => unknown): void {
    const trace: { stack?: string } = {};
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = framesKept;
    // The text is made when somebody reads it, which is seldom.
    Error.captureStackTrace(trace, asker);
    Error.stackTraceLimit = stackTraceLimit;
    this.#calls.push({ call, trace });
  }

  /** The stack of a call without its first line; undefined where it is no longer known. */
  stackOf(call: number): string | undefined {
    const found = this.#failed?.call === call ? this.#failed : this.#find(call);
    // The tensors that it should have made may be read much later.
    if (found) this.#failed = found;
    return found?.trace.stack?.split('\n').slice(1).join('\n');
  }

  /** The worker is done with calls up to this one. */
  forget(upTo: number): void {
    const kept = this.#calls.findIndex(({ call }) => call > upTo);
    this.#calls.splice(0, kept === -1 ? this.#calls.length : kept);
  }

  #find(call: number): IssuedCall | undefined {
    return this.#calls.find((issued) => issued.call === call);
  }
}
