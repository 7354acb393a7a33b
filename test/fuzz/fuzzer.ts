import { Chance } from './chance.ts';
import { type Input, inputToText, smallest } from './input.ts';
import type { Target } from './target.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly inputs: number;
  readonly onProgress?: (done: number) => void;
}

export interface FuzzReport {
  readonly inputs: number;
  readonly milliseconds: number;
  /** What became of the inputs: how many of each target's ended how. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Most memory in bytes that an input took, by target. */
  readonly memory: ReadonlyMap<string, number>;
  readonly peakBytes: number;
}

/** An input that did what none may do, and how to have it again. */
export class Finding extends Error {
  override readonly name = 'Finding';

  constructor(target: string, seed: number, number: number, input: Input, cause: unknown) {
    const text = inputToText(input);
    const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    super(
      `${target}, input ${number} of seed ${seed}: ${what}\n` +
        `smallest input: ${text}\n` +
        `again: node test/fuzz/run.ts --target ${target} --replay ${text}`,
      { cause },
    );
  }
}

/**
 * Gives targets mutated inputs by turns, each made from the seed and its own number alone.
 * @throws Finding the first input that was neither accepted nor refused with a reason, or that took
 *   more memory than it may.
 */
export async function fuzz(
  targets: readonly Target[],
  { seed, inputs, onProgress }: FuzzOptions,
): Promise<FuzzReport> {
  const started = performance.now();
  const outcomes = new Map<string, number>();
  const memory = new Map<string, number>();
  const turns = targets.flatMap((target) => new Array<Target>(target.share).fill(target));
  for (let number = 0; number < inputs; number += 1) {
    const chance = new Chance(seed * 1_000_003 + number);
    const target = chance.pick(turns);
    const input = target.make(chance);
    const before = heldBytes();
    try {
      const outcome = `${target.name}: ${await target.run(input)}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      const taken = heldBytes() - before;
      if (taken > (memory.get(target.name) ?? 0)) memory.set(target.name, taken);
      if (taken > mostMemory(target, input)) throw new Error(`it took ${taken} bytes of memory`);
    } catch (error) {
      const fails = async (candidate: Input): Promise<boolean> =>
        await target.run(candidate).then(
          () => false,
          () => true,
        );
      const least = await smallest(input, fails);
      throw new Finding(target.name, seed, number, least, error);
    }
    if (onProgress && number % 10_000 === 9_999) onProgress(number + 1);
  }
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  return { inputs, milliseconds: performance.now() - started, outcomes, memory, peakBytes };
}

/** An array's slots and the objects in a message take at most so many bytes for one of the message. */
const bytesPerByte = 96;

const mostMemory = (target: Target, input: Input): number =>
  target.memory + bytesPerByte * input.reduce((sum, message) => sum + message.length, 0);

function heldBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
