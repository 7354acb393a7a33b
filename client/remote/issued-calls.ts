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
  #last: { readonly pass: object; readonly trace: IssuedCall['trace'] } | undefined;

  get size(): number {
    return this.#calls.length;
  }

  /**
   * Notes where the current call comes from: who called `asker`.
   * @param pass what this call has in common with others that `asker` asks for: one note is made of all
   */
  add(call: number, asker: (...args: never) => unknown, pass?: object): void {
    if (pass === undefined) {
      this.#calls.push({ call, trace: traceOf(asker) });
      return;
    }
    if (this.#last?.pass !== pass) this.#last = { pass, trace: traceOf(asker) };
    this.#calls.push({ call, trace: this.#last.trace });
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

function traceOf(asker: (...args: never) => unknown): { readonly stack?: string } {
  const trace: { stack?: string } = {};
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = framesKept;
  // The text is made when somebody reads it, which is seldom.
  Error.captureStackTrace(trace, asker);
  Error.stackTraceLimit = stackTraceLimit;
  return trace;
}
