/** One line of text being edited. `cursor` counts characters (code points). */
export interface TextField {
  readonly text: string;
  readonly cursor: number;
}

export const textField = (text = ''): TextField => ({ text, cursor: [...text].length });

/** Types `given` at the cursor; control characters are left out. */
export function typeText(field: TextField, given: string): TextField {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is left out
  const added = [...given.replace(/[\x00-\x1f\x7f]/g, '')];
  const characters = [...field.text];
  characters.splice(field.cursor, 0, ...added);
  return { text: characters.join(''), cursor: field.cursor + added.length };
}

export function eraseCharacter(field: TextField): TextField {
  if (field.cursor === 0) return field;
  const characters = [...field.text];
  characters.splice(field.cursor - 1, 1);
  return { text: characters.join(''), cursor: field.cursor - 1 };
}

export const moveCursor = (field: TextField, by: number): TextField => ({
  text: field.text,
  cursor: Math.max(0, Math.min([...field.text].length, field.cursor + by)),
});
