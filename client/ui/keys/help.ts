import type { Look } from '../style/look.ts';
import { type Line, paintLine, type Row } from '../text/line.ts';
import type { Command, Context } from './binding.ts';
import { shownKey } from './shown-key.ts';
import { bindings } from './table.ts';

/**
 * The help, from the key table: what means something in `context` first. In columns where there is room.
 * @param hidden commands that are left out.
 */
export function helpRows(
  context: Context,
  width: number,
  look: Look,
  hidden: readonly Command[] = [],
): Row[] {
  const { painter, glyphs } = look;
  const groups = new Map<string, Line[]>();
  const shown = bindings.filter(({ command }) => !hidden.includes(command));
  const here = shown.filter(
    ({ contexts }) => contexts.includes(context) || contexts.includes('everywhere'),
  );
  const keyed = shown.map(({ keys }) => shownKeys(keys, glyphs.unicode).length);
  const keyWidth = Math.max(...keyed) + 1;
  const elsewhere = shown.filter((binding) => !here.includes(binding));
  for (const { group, keys, description } of [...here, ...elsewhere]) {
    const rows = groups.get(group) ?? [];
    rows.push([
      ['  '],
      [shownKeys(keys, glyphs.unicode).padEnd(keyWidth), 'key'],
      [` ${description}`, 'plain'],
    ]);
    groups.set(group, rows);
  }
  const blocks = [...groups.entries()].map(([name, lines]): Line[] => [
    [[name, 'accentStrong']],
    ...lines,
    [],
  ]);
  const columnCount = Math.max(1, Math.min(2, Math.floor(width / 68)));
  const columns: Line[][] = Array.from({ length: columnCount }, () => []);
  const total = blocks.reduce((sum, block) => sum + block.length, 0);
  let column = 0;
  for (const block of blocks) {
    const current = columns[column] ?? [];
    if (
      column < columnCount - 1 &&
      current.length > 0 &&
      current.length + block.length / 2 > total / columnCount
    )
      column += 1;
    columns[column]?.push(...block);
  }
  const columnWidth = Math.floor(width / columnCount);
  const height = Math.max(...columns.map((lines) => lines.length));
  return Array.from({ length: height }, (_, row) =>
    columns
      .map((lines, index) =>
        paintLine(
          lines[row] ?? [],
          index === columnCount - 1 ? width - columnWidth * (columnCount - 1) : columnWidth,
          painter,
        ),
      )
      .join(''),
  );
}

const shownKeys = (keys: readonly string[], unicode: boolean): string =>
  keys.map((key) => shownKey(key, unicode)).join(' ');

/** The keys that mean something in `context`, one sentence each, for screen readers. */
export function spokenKeys(context: Context, hidden: readonly Command[] = []): string {
  const here = bindings.filter(
    ({ command, contexts }) =>
      !hidden.includes(command) && (contexts.includes(context) || contexts.includes('everywhere')),
  );
  return here
    .map(
      ({ keys, description }) =>
        `${keys.map((key) => (key === '?' ? 'question mark' : shownKey(key, false))).join(' or ')}: ${description}.`,
    )
    .join('\n');
}
