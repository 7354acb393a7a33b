import type { Key } from 'ink';

const named = {
  leftArrow: 'left',
  rightArrow: 'right',
  upArrow: 'up',
  downArrow: 'down',
  pageUp: 'pageup',
  pageDown: 'pagedown',
  home: 'home',
  end: 'end',
  return: 'return',
  escape: 'escape',
  backspace: 'backspace',
  delete: 'delete',
} as const satisfies Partial<Record<keyof Key, string>>;

/**
 * The names of what was typed, as the key table has them. Characters that arrive in one piece (fast
 * typing, a slow line) are one name each.
 */
export function keyNames(input: string, key: Key): string[] {
  if (key.tab) return [key.shift ? 'shift+tab' : 'tab'];
  for (const [property, name] of Object.entries(named)) {
    if (key[property as keyof typeof named]) return [name]; // the keys of `named`
  }
  if (key.ctrl) return input === '' ? [] : [`ctrl+${input.toLowerCase()}`];
  if (key.meta) return [];
  return [...input]
    .map((character) =>
      character === ' '
        ? 'space'
        : character === '\r' || character === '\n'
          ? 'return'
          : character === '\t'
            ? 'tab'
            : character,
    )
    .filter((name) => name.length > 1 || name >= ' ');
}
