import { type Clock, monotonicTime } from '../../shared/clock.ts';
import type { System } from '../../shared/system.ts';
import type { Chance } from './chance.ts';
import { diskOf, SimulatedDisk } from './simulated-disk.ts';
import type { World } from './world.ts';

const epoch = Date.UTC(2026, 10, 23);

/** A computer: a disk that outlives its programs, and a clock that somebody may set. */
export class Machine {
  readonly name: string;
  readonly world: World;
  readonly chance: Chance;
  readonly disk: SimulatedDisk;
  /** How far its clock is off, in ms. */
  clockOffset = 0;
  #program: Program | undefined;
  #programs = 0;

  constructor(name: string, world: World, chance: Chance) {
    this.name = name;
    this.world = world;
    this.chance = chance;
    this.disk = new SimulatedDisk(chance);
  }

  get wallTime(): number {
    return Math.floor(epoch + this.world.now + this.clockOffset);
  }

  /** The program that runs now. */
  get program(): Program | undefined {
    return this.#program;
  }

  launch(): Program {
    this.#programs += 1;
    this.#program = new Program(this, this.#programs);
    return this.#program;
  }

  /** The program ends between two instructions, as by SIGKILL: the disk's cache stays. */
  kill(): void {
    this.#program?.end();
    this.#program = undefined;
  }

  losePower(): void {
    this.kill();
    this.disk.losePower();
  }

  isAlive(id: number): boolean {
    return this.#program?.id === id;
  }
}

/** One life of a program, with the system as it has it. Once it has ended nothing of it happens any more. */
export class Program {
  readonly id: number;
  readonly system: System;
  readonly #machine: Machine;
  #hasEnded = false;
  #isAsleep = false;
  /** How long the machine slept while this ran: timers do not count that. */
  #slept = 0;
  #fellAsleepAt = 0;
  #put: (() => void)[] = [];
  readonly #calls = new Set<(isHeard: boolean) => void>();

  constructor(machine: Machine, id: number) {
    this.id = id;
    this.#machine = machine;
    const { chance } = machine;
    const clock: Clock = {
      now: () => machine.wallTime,
      monotonic: monotonicTime(
        () => machine.wallTime,
        () => this.awakeTime,
      ),
      after: (milliseconds, call) => this.#timer(milliseconds, call),
      soon: (call) => this.happen(0, call),
    };
    this.system = {
      clock,
      disk: diskOf(machine.disk, {
        now: () => machine.wallTime,
        later: (milliseconds, call) => this.#systemCall(milliseconds, call),
      }),
      random: { bytes: (count) => chance.bytes(count), fraction: chance.fraction },
      processes: { own: id, isAlive: (other) => machine.isAlive(other) },
    };
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get isAsleep(): boolean {
    return this.#isAsleep;
  }

  /** Milliseconds that its machine's timers have counted. */
  get awakeTime(): number {
    const { now } = this.#machine.world;
    return (this.#isAsleep ? this.#fellAsleepAt : now) - this.#slept;
  }

  /** Something reaches the program after so long, or when it wakes; nothing once it has ended. */
  happen(milliseconds: number, call: () => void): void {
    this.#machine.world.after(milliseconds, () => this.#take(call));
  }

  end(): void {
    this.#hasEnded = true;
    for (const call of this.#calls) if (this.#machine.chance.happens(0.5)) call(false);
    this.#calls.clear();
    this.#put = [];
  }

  sleep(): void {
    if (this.#isAsleep) return;
    this.#isAsleep = true;
    this.#fellAsleepAt = this.#machine.world.now;
  }

  wake(): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#slept += this.#machine.world.now - this.#fellAsleepAt;
    for (const call of this.#put.splice(0)) this.happen(0, call);
  }

  #take(call: () => void): void {
    if (this.#hasEnded) return;
    if (this.#isAsleep) this.#put.push(call);
    else this.#machine.world.run(this.#machine.name, call);
  }

  #systemCall(milliseconds: number, call: (isHeard: boolean) => void): void {
    if (this.#hasEnded) return;
    this.#calls.add(call);
    this.happen(milliseconds, () => {
      this.#calls.delete(call);
      call(true);
    });
  }

  #timer(milliseconds: number, call: () => void): () => void {
    const due = this.awakeTime + Math.max(0, milliseconds);
    let isOff = false;
    let stop = (): void => {};
    const set = (left: number): void => {
      stop = this.#machine.world.after(left, () =>
        this.#take(() => {
          const late = due - this.awakeTime;
          if (isOff) return;
          if (late > 1e-6) set(late);
          else call();
        }),
      );
    };
    set(Math.max(0, milliseconds));
    return () => {
      isOff = true;
      stop();
    };
  }
}
