import { expect, test } from 'vitest';
import { Alarm } from '../../../shared/alarm.ts';
import type { Clock } from '../../../shared/clock.ts';

/** Time that passes when it is told to, with its timers counted. */
class SetTime implements Clock {
  time = 0;
  timersMade = 0;
  #timers: { readonly at: number; readonly call: () => void }[] = [];

  get waiting(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.time + milliseconds, call };
    this.timersMade += 1;
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  soon(call: () => void): void {
    call();
  }

  passTo(time: number): void {
    for (;;) {
      const [next] = this.#timers.toSorted((a, b) => a.at - b.at);
      if (next === undefined || next.at > time) break;
      this.time = next.at;
      this.#timers = this.#timers.filter((other) => other !== next);
      next.call();
    }
    this.time = time;
  }
}

function alarmed(): { clock: SetTime; alarm: Alarm; calls: number[] } {
  const clock = new SetTime();
  const calls: number[] = [];
  const alarm = new Alarm(clock, () => calls.push(clock.time));
  return { clock, alarm, calls };
}

test('an alarm that is put off with every message calls once, when it is time, and needs two timers', () => {
  const { clock, alarm, calls } = alarmed();
  for (let time = 0; time < 100; time += 1) {
    clock.passTo(time);
    alarm.set(time + 150);
  }
  clock.passTo(248);
  expect(calls).toEqual([]);
  clock.passTo(1_000);
  expect(calls).toEqual([249]);
  expect(clock.timersMade).toBe(2);
});

test('an alarm that is put forward calls earlier', () => {
  const { clock, alarm, calls } = alarmed();
  alarm.set(100);
  alarm.set(10);
  clock.passTo(1_000);
  expect(calls).toEqual([10]);
});

test('an alarm that is called off leaves no timer, and can be set anew', () => {
  const { clock, alarm, calls } = alarmed();
  alarm.set(100);
  alarm.set(Number.POSITIVE_INFINITY);
  expect(clock.waiting).toBe(0);
  clock.passTo(200);
  expect(calls).toEqual([]);
  alarm.set(150);
  clock.passTo(200);
  expect(calls).toEqual([200]);
});

test('whoever is called may set it anew', () => {
  const clock = new SetTime();
  const calls: number[] = [];
  const alarm: Alarm = new Alarm(clock, () => {
    calls.push(clock.time);
    if (calls.length < 3) alarm.set(clock.time + 5);
  });
  alarm.set(1);
  clock.passTo(100);
  expect(calls).toEqual([1, 6, 11]);
  expect(clock.waiting).toBe(0);
});
