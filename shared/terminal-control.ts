/**
 * A terminal obeys what it reads, and much of what both ends print came from the other: names, logs,
 * errors. Controls but tab and line feed, and what turns the direction of the text around it.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** The text with a dot in place of each character that would steer a terminal. */
export const withoutControl = (text: string): string => text.replace(control, '\u00b7');

/** The same JSON value, with what would steer a terminal escaped: `JSON.stringify` escapes but a part of that. */
export const withEscapedControl = (json: string): string =>
  json.replace(
    control,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
