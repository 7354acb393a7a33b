import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

/** As much of jasmine as tfjs-core's specs use, over vitest. */

type Done = (() => void) & { fail: (reason?: unknown) => void };
type Body = ((done: Done) => unknown) | (() => unknown);

/** A body that takes `done` ends when it calls it. */
function withDone(body: Body): () => Promise<void> {
  return async () => {
    if (body.length === 0) {
      await (body as () => unknown)();
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const fail = (reason?: unknown) =>
        reject(reason instanceof Error ? reason : new Error(String(reason)));
      const done: Done = Object.assign(() => resolve(), { fail });
      Promise.resolve(body(done)).catch(fail);
    });
  };
}

/** How to undo the spies of the spec that runs. */
const made: (() => void)[] = [];

function spyOn(object: object, method: string) {
  // The specs name methods of whatever object they have.
  const spy = vi.spyOn(object as Record<string, () => unknown>, method);
  const original = spy.getMockImplementation();
  made.push(() => spy.mockRestore());
  spy.mockImplementation(() => undefined);
  return Object.assign(spy, {
    and: {
      callThrough: () => (original ? spy.mockImplementation(original) : spy.mockReset()),
      callFake: (fake: () => unknown) => spy.mockImplementation(fake),
      returnValue: (value: unknown) => spy.mockImplementation(() => value),
    },
    calls: {
      count: () => spy.mock.calls.length,
      first: () => ({ args: spy.mock.calls[0] }),
      mostRecent: () => ({ args: spy.mock.calls.at(-1) }),
    },
  });
}

expect.extend({
  // Says that a spec which checks nothing means to.
  nothing: () => ({ pass: true, message: () => '' }),
  // As jasmine's, for which 0 is -0.
  toBe: (value, other) => ({
    pass: value === other || Object.is(value, other),
    message: () => `${String(value)} is not ${String(other)}`,
  }),
  toBeTrue: (value) => ({ pass: value === true, message: () => `${value} is not true` }),
  toBeFalse: (value) => ({ pass: value === false, message: () => `${value} is not false` }),
});

const hooks = { beforeAll, beforeEach, afterAll, afterEach };

export interface SpecsOptions {
  /** Rejects with what went wrong in the spec that just ended and was not told yet. */
  readonly settle: () => Promise<void>;
  /** Returns why a spec may fail with this error, or throws it; undefined: it passed. */
  readonly excuse: (spec: string, error: unknown) => string | undefined;
}

/** Puts `describe`, `it` and the rest where the specs look for them. */
export function defineJasmineGlobals({ settle, excuse }: SpecsOptions): void {
  const names: string[] = [];
  const define = (name: string, body: Body) => {
    const spec = [...names, name].join(' ');
    test(name, async (context) => {
      const error = await withDone(body)()
        .then(() => undefined)
        .catch((reason: unknown) => reason);
      const late = await settle().catch((reason: unknown) => reason);
      const reason = excuse(spec, error ?? late ?? undefined);
      if (reason !== undefined) context.skip(reason);
    });
  };
  Object.assign(globalThis, {
    ...Object.fromEntries(
      Object.entries(hooks).map(([name, hook]) => [name, (body: Body) => hook(withDone(body))]),
    ),
    describe: (name: string, body: () => void) =>
      describe(name, () => {
        names.push(name);
        body();
        names.pop();
      }),
    it: define,
    fit: define,
    xit: (name: string) => test.skip(name, () => {}),
    expect,
    expectAsync: (promise: Promise<unknown>) => ({
      toBeRejectedWithError: (message?: string | RegExp) =>
        expect(promise).rejects.toThrowError(message),
    }),
    fail: (reason: unknown) => {
      throw new Error(String(reason));
    },
    spyOn,
    jasmine: {
      DEFAULT_TIMEOUT_INTERVAL: 20_000,
      arrayWithExactContents: expect.arrayContaining,
    },
  });
  beforeEach(() => {
    made.length = 0;
  });
  afterEach(() => {
    for (const undo of made.splice(0)) undo();
  });
}
