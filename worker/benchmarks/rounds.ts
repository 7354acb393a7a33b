import type { Times } from './protocol.ts';
import { median } from './statistics.ts';

/** What takes turns: a participant that has prepared its work. */
export interface Contender {
  readonly name: string;
  run(warm: number, steps: number): Promise<Times>;
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
 * @returns turns by name, one a round
 */
export async function playRounds(
  contenders: readonly Contender[],
  rounds: number,
  onRound: (round: number) => void = () => {},
): Promise<Map<string, Turn[]>> {
  const paced: { contender: Contender; warm: number; steps: number }[] = [];
  for (const contender of contenders) {
    const first = (await contender.run(0, 1)).wall[0] ?? 0;
    const ms = first < longMs ? ((await contender.run(1, 1)).wall[0] ?? 0) : first;
    const steps = Math.min(mostSteps, Math.max(1, Math.ceil(turnMs / Math.max(ms, 0.001))));
    paced.push({ contender, warm: ms < longMs ? 1 : 0, steps });
  }
  const turns = new Map<string, Turn[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    onRound(round);
    const from = round % paced.length;
    for (const { contender, warm, steps } of [...paced.slice(from), ...paced.slice(0, from)]) {
      const { wall, processor } = await contender.run(warm, steps);
      turns.get(contender.name)?.push({
        wall: median(wall),
        best: Math.min(...wall),
        processor: processor / wall.length,
      });
    }
  }
  return turns;
}
