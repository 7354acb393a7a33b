const shownNames: Readonly<Record<string, string>> = {
  space: 'Space',
  tab: 'Tab',
  'shift+tab': 'Shift-Tab',
  return: 'Enter',
  escape: 'Esc',
  left: '←',
  right: '→',
  up: '↑',
  down: '↓',
  pageup: 'PgUp',
  pagedown: 'PgDn',
  home: 'Home',
  end: 'End',
  backspace: 'Backspace',
  delete: 'Delete',
};
const asciiNames: Readonly<Record<string, string>> = {
  left: 'Left',
  right: 'Right',
  up: 'Up',
  down: 'Down',
};

/** A key as people call it: `Space`, `Ctrl-L`, `S`. */
export function shownKey(key: string, unicode: boolean): string {
  const name = (unicode ? undefined : asciiNames[key]) ?? shownNames[key];
  if (name) return name;
  return key.startsWith('ctrl+') ? `Ctrl-${key.slice(5).toUpperCase()}` : key;
}
