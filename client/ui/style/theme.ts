/**
 * The colours, by what they mean. Chosen to be told apart by colour-blind eyes (blue against amber
 * for training against validation). Each is there twice, for dark and for light backgrounds: words
 * have at least 4.5 times the contrast of their ground, frames and what is drawn behind less.
 */

export interface StyleDefinition {
  /** Truecolor on a dark ground; 256 colours are derived from it. Absent: the terminal's own foreground. */
  readonly rgb?: readonly [red: number, green: number, blue: number];
  /** The same on a light ground. */
  readonly rgbOnLight?: readonly [red: number, green: number, blue: number];
  /** Foreground code of the 16 colours (30..37, 90..97). */
  readonly ansi16?: number;
  readonly bold?: true;
  /** Also used where there is no colour, to keep what is secondary in the background. */
  readonly dim?: true;
  readonly inverse?: true;
  readonly underline?: true;
}

const define = <Name extends string>(
  styles: Record<Name, StyleDefinition>,
): Record<Name, StyleDefinition> => styles;

export const theme = define({
  plain: {},
  strong: { bold: true },
  /** Labels and units beside a value. */
  label: { rgb: [128, 138, 155], rgbOnLight: [88, 98, 116], ansi16: 90, dim: true },
  /** Rules, frames, guides. */
  faint: { rgb: [78, 86, 102], rgbOnLight: [160, 168, 182], ansi16: 90, dim: true },
  accent: { rgb: [94, 200, 190], rgbOnLight: [0, 118, 110], ansi16: 36 },
  accentStrong: { rgb: [94, 200, 190], rgbOnLight: [0, 118, 110], ansi16: 36, bold: true },
  selected: { rgb: [94, 200, 190], rgbOnLight: [0, 118, 110], ansi16: 36, inverse: true },
  train: { rgb: [98, 164, 240], rgbOnLight: [24, 98, 196], ansi16: 94 },
  trainRaw: { rgb: [52, 82, 122], rgbOnLight: [158, 188, 228], ansi16: 34, dim: true },
  validation: { rgb: [240, 170, 84], rgbOnLight: [176, 86, 0], ansi16: 33 },
  test: { rgb: [190, 140, 220], rgbOnLight: [130, 70, 176], ansi16: 35 },
  good: { rgb: [120, 196, 134], rgbOnLight: [26, 120, 52], ansi16: 32 },
  warning: { rgb: [230, 190, 100], rgbOnLight: [140, 94, 0], ansi16: 33 },
  bad: { rgb: [232, 104, 112], rgbOnLight: [190, 28, 44], ansi16: 91 },
  badStrong: { rgb: [232, 104, 112], rgbOnLight: [190, 28, 44], ansi16: 91, bold: true },
  key: { bold: true },
});

export type StyleName = keyof typeof theme;
