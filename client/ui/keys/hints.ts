import type { Look } from '../style/look.ts';
import { joinFitting, type Line, lineWidth, paintLine, type Row } from '../text/line.ts';
import type { Command, Context } from './binding.ts';
import { shownKey } from './shown-key.ts';
import { bindings } from './table.ts';

/** Words of the footer that depend on how things stand, e.g. `resume` in place of `pause`. */
export type HintWords = Partial<Record<Command, string | undefined>>;

/** The footer: keys that mean something here with a word each, as many as fit; help comes first. */
export function hintRow(
  context: Context,
  width: number,
  look: Look,
  words: HintWords = {},
  hidden: readonly Command[] = [],
): Row {
  const { painter, glyphs } = look;
  const item = (command: Command, key: string, hint: string): Line => [
    [shownKey(key, glyphs.unicode), 'key'],
    [` ${words[command] ?? hint}`, 'label'],
  ];
  const here = bindings.filter(
    ({ hint, contexts, command }) =>
      hint !== undefined && contexts.includes(context) && !hidden.includes(command),
  );
  const help = here.find(({ command }) => command === 'app.help');
  const others = here.filter((binding) => binding !== help);
  const items: Line[] = [];
  if (help) items.push(item(help.command, help.keys[0] ?? '', help.hint ?? ''));
  for (const { command, keys, hint } of others)
    items.push(item(command, keys[0] ?? '', hint ?? ''));
  if (context === 'form' || context === 'choice' || context === 'help')
    items.push(item('app.back', 'escape', 'back'));
  const line = joinFitting(items, ['   '], width);
  return paintLine(lineWidth(line) === 0 ? [] : line, width, painter);
}
