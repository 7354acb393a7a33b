import { z } from 'zod';

/**
 * A run that was taken for lost and resumed elsewhere may be trained twice, and both give events
 * the same numbers. So each stretch of events that one worker made is a *life* of the run, named by
 * its first event. An event is told by its number and its life; two copies that agree on one event
 * agree on all before it (the log matching of Raft, Ongaro and Ousterhout 2014, section 5.3; a life
 * is what a leader's term is there).
 */
export const lifeIdSchema = z.string().min(1).max(32);

export const lifeSchema = z.object({
  id: lifeIdSchema,
  /** Number of its first event. */
  firstSeq: z.int().positive(),
});
export type Life = z.infer<typeof lifeSchema>;

/** Oldest first; more than anybody moves a run. */
export const livesSchema = z.array(lifeSchema).max(1000);

/** What somebody has of a run's events: up to which number, and of which lives. */
export interface History {
  readonly lives: readonly Life[];
  readonly lastSeq: number;
}

/** The life that event `seq` is of; undefined before the first event. */
export function lifeOf({ lives }: Pick<History, 'lives'>, seq: number): string | undefined {
  return lives.findLast(({ firstSeq }) => firstSeq <= seq)?.id;
}

/** Whether every event of `part` is one of `whole`. */
export function contains(whole: History, part: History): boolean {
  if (part.lastSeq === 0) return true;
  if (part.lastSeq > whole.lastSeq) return false;
  return lifeOf(whole, part.lastSeq) === lifeOf(part, part.lastSeq);
}

/** The lives after one more event, which names its life where it is the first of it. */
export function livesAfter(
  lives: readonly Life[],
  event: { readonly seq: number; readonly life?: string | undefined },
): readonly Life[] {
  return event.life === undefined ? lives : [...lives, { id: event.life, firstSeq: event.seq }];
}
