import type { Key } from 'ink';
import { isLateAnswer } from '../style/background.ts';

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
  if (key.meta || isLateAnswer(input)) return [];
  return [...input].flatMap((character) => nameOf(character) ?? []);
}

function nameOf(character: string): string | undefined {
  if (character === ' ') return 'space';
  if (character === '\r' || character === '\n') return 'return';
  if (character === '\t') return 'tab';
  const code = character.charCodeAt(0);
  if (code >= 0x20) return character;
  // Ctrl with a letter is the letter's place in the alphabet; 27, an escape out of its place, is none.
  return code > 0 && code < 27 ? `ctrl+${String.fromCharCode(0x60 + code)}` : undefined;
}
