import { type LifeOptions, live } from './life.ts';
import type { Entry, Plan } from './plan.ts';

/**
 * The shortest plan that still goes wrong in the same way, found by leaving entries out (delta
 * debugging, Zeller and Hildebrandt 2002, with complements only).
 */
export async function shrink(plan: Plan, options: LifeOptions = {}): Promise<Plan> {
  const { violation } = await live(plan, options);
  if (violation === undefined) return plan;
  const isAsWrong = async (entries: readonly Entry[]): Promise<boolean> => {
    const lived = await live({ ...plan, entries }, options);
    return lived.violation !== undefined && kindOf(lived.violation) === kindOf(violation);
  };
  let entries = plan.entries;
  let parts = 2;
  while (entries.length > 1) {
    const size = Math.ceil(entries.length / parts);
    let shorter: readonly Entry[] | undefined;
    for (let at = 0; at < entries.length && !shorter; at += size) {
      const without = entries.filter((_, index) => index < at || index >= at + size);
      if (await isAsWrong(without)) shorter = without;
    }
    if (shorter) {
      entries = shorter;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(entries.length, parts * 2);
  }
  return { ...plan, entries };
}

/** What went wrong, without the numbers and names of this one case. */
const kindOf = (violation: string): string => violation.replace(/\{.*|\S*\d\S*/g, '').slice(0, 60);
