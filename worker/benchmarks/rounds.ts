import type { Times } from './protocol.ts';
import { median } from './statistics.ts';

/** What takes turns: a participant that has prepared its work. */
export interface Contender {
  readonly name: string;
  /** @returns undefined where it could not do it: it is not asked again. */
  run(warm: number, steps: number): Promise<Times | undefined>;
}

/** One participant's figures of one round, in milliseconds a step. */
export interface Turn {
  /** The median of the turn's steps. */
  readonly wall: number;
  /** The fastest of them. */
  readonly best: number;
  readonly processor: number;
}

/** A turn is at least so long, so that a short step is timed many times. */
const turnMs = 400;
const mostSteps = 50;
/** A step as long as this is warm by itself. */
const longMs = 1_000;

/**
 * Times the contenders by turns: in every round each of them once, one after the other and never
 * two at once, in an order that moves on by one from round to round. Before a short step is timed,
 * one is made that is not, since the others have used the caches meanwhile.
 *
 * @returns turns by name, one a round, of those that could do all of them
 */
export async function playRounds(
  contenders: readonly Contender[],
  rounds: number,
  onRound: (round: number) => void = () => {},
): Promise<Map<string, Turn[]>> {
  const paced: { contender: Contender; warm: number; steps: number }[] = [];
  for (const contender of contenders) {
    const first = firstOf(await contender.run(0, 1));
    if (first === undefined) continue;
    const ms = first < longMs ? firstOf(await contender.run(1, 1)) : first;
    if (ms === undefined) continue;
    const steps = Math.min(mostSteps, Math.max(1, Math.ceil(turnMs / Math.max(ms, 0.001))));
    paced.push({ contender, warm: ms < longMs ? 1 : 0, steps });
  }
  const turns = new Map<string, Turn[]>(paced.map(({ contender }) => [contender.name, []]));
  for (let round = 0; round < rounds && turns.size > 0; round++) {
    onRound(round);
    const left = paced.filter(({ contender }) => turns.has(contender.name));
    const from = round % left.length;
    for (const { contender, warm, steps } of [...left.slice(from), ...left.slice(0, from)]) {
      const times = await contender.run(warm, steps);
      if (times === undefined) {
        turns.delete(contender.name);
        continue;
      }
      const { wall, processor } = times;
      turns.get(contender.name)?.push({
        wall: median(wall),
        best: Math.min(...wall),
        processor: processor / wall.length,
      });
    }
  }
  return turns;
}

const firstOf = (times: Times | undefined): number | undefined => times?.wall[0];
