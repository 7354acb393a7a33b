import type { Look } from '../style/look.ts';
import type { Line } from '../text/line.ts';

/** In front of an entry of a list; the list that has the keys is `focused`. */
export const pointer = (chosen: boolean, focused: boolean, { glyphs }: Look): Line[number] => [
  chosen ? `${glyphs.pointer} ` : '  ',
  focused ? 'accent' : 'faint',
];

/** The part of a list that shows its chosen entry. */
export function windowed<Item>(
  items: readonly Item[],
  chosen: number,
  height: number,
): { from: number; shown: readonly Item[] } {
  const from = Math.max(0, Math.min(chosen - Math.floor(height / 2), items.length - height));
  return { from, shown: items.slice(from, from + height) };
}
