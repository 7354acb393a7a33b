import { expect, test } from 'vitest';
import { defaultTimes } from '../../../../client/session/connection-times.ts';
import { nodeSystem } from '../../../../client/session/system.ts';
import { WorkerLink } from '../../../../client/session/worker-link.ts';
import type { Clock } from '../../../../shared/clock.ts';
import { TeletrainError } from '../../../../shared/errors.ts';
import { SimulatedLine } from './simulated-line.ts';
import { SimulatedWorker } from './simulated-worker.ts';

/** A clock that the test moves, on a machine whose date was set a day back while it ran. */
class SetBackClock implements Clock {
  #passed = 0;
  readonly #timers = new Set<{ readonly at: number; readonly call: () => void }>();

  now(): number {
    return this.#passed - 24 * 3_600_000;
  }

  monotonic(): number {
    return this.#passed;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.#passed + milliseconds, call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  soon(call: () => void): void {
    this.after(0, call);
  }

  pass(milliseconds: number): void {
    const until = this.#passed + milliseconds;
    for (;;) {
      const [next] = [...this.#timers].sort((one, other) => one.at - other.at);
      if (next === undefined || next.at > until) break;
      this.#timers.delete(next);
      this.#passed = Math.max(this.#passed, next.at);
      next.call();
    }
    this.#passed = until;
  }
}

/** A link to a worker that answers at once, until its line falls silent. */
async function connected() {
  const clock = new SetBackClock();
  const worker = new SimulatedWorker();
  const line = new SimulatedLine(worker);
  const { sockets } = line;
  const link = new WorkerLink({
    client: { id: 'client-1', name: 'teletrain', version: '0.1.0' },
    endpoint: async () => ({ url: 'ws://127.0.0.1:1/', auth: { token: 'a-token' } }),
    system: { ...nodeSystem, clock },
    openSocket: line.open,
  });
  link.start();
  await expect.poll(() => sockets.length).toBe(1);
  sockets[0]?.listener.opened();
  expect(link.state.kind).toBe('connected');
  const fallSilent = () => {
    line.isSilent = true;
  };
  return { link, clock, sockets, fallSilent };
}

test('a line that was not read for a while is taken for dead after its silence, no sooner and no later', async () => {
  const { link, clock, sockets, fallSilent } = await connected();
  const readAgain = link.hold();
  clock.pass(defaultTimes.silenceMs * 2);
  fallSilent();
  readAgain();
  clock.pass(defaultTimes.silenceMs - 1);
  expect(sockets[0]?.isEnded).toBe(false);
  clock.pass(1);
  expect(sockets[0]?.isEnded).toBe(true);
  link.close();
});

test('a worker whose key is not its own for a while is tried again after a pause, not at once and not never', async () => {
  const { link, clock, sockets } = await connected();
  sockets[0]?.listener.closed(1006, '');
  clock.pass(defaultTimes.longestDelayMs);
  await expect.poll(() => sockets.length).toBe(2);
  const error = new TeletrainError('certificate-changed', 'Another key.', { hint: 'Do not.' });
  sockets[1]?.listener.untrusted(error);
  const { state } = link;
  if (state.kind !== 'waiting') throw new Error(`it is ${state.kind}`);
  expect(state.retryAt).toBeGreaterThan(clock.monotonic());
  expect(state.retryAt).toBeLessThanOrEqual(clock.monotonic() + defaultTimes.longestDelayMs);
  link.close();
});

test('a request that has no form on the wire is refused at once, and no later connection breaks by it', async () => {
  const { link, clock, sockets } = await connected();
  // Not what its type says.
  const params = { run: (() => 'none') as unknown as string };
  await expect(link.request('run.unfollow', params)).rejects.toThrow(TypeError);
  sockets[0]?.listener.closed(1006, '');
  clock.pass(defaultTimes.longestDelayMs);
  await expect.poll(() => sockets.length).toBe(2);
  sockets[1]?.listener.opened();
  expect(link.state.kind).toBe('connected');
  link.close();
});

test('a request that is given up is no longer waited for, and what its signal does later is nothing to it', async () => {
  const { link, fallSilent } = await connected();
  const done = new AbortController();
  await link.request('run.unfollow', { run: 'one' }, { signal: done.signal });
  done.abort();
  fallSilent();
  const given = new AbortController();
  const asked = link.request('run.unfollow', { run: 'one' }, { signal: given.signal });
  given.abort();
  await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
  link.close();
});
