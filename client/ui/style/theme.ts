/**
 * The colours, by what they mean. Chosen to be told apart by colour-blind eyes (blue against amber
 * for training against validation), and to be readable on dark and on light backgrounds.
 */

export interface StyleDefinition {
  /** Truecolor; 256 colours are derived from it. Absent: the terminal's own foreground. */
  readonly rgb?: readonly [red: number, green: number, blue: number];
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
  label: { rgb: [128, 138, 155], ansi16: 90, dim: true },
  /** Rules, frames, guides. */
  faint: { rgb: [78, 86, 102], ansi16: 90, dim: true },
  accent: { rgb: [94, 200, 190], ansi16: 36 },
  accentStrong: { rgb: [94, 200, 190], ansi16: 36, bold: true },
  selected: { rgb: [94, 200, 190], ansi16: 36, inverse: true },
  train: { rgb: [98, 164, 240], ansi16: 94 },
  trainRaw: { rgb: [52, 82, 122], ansi16: 34, dim: true },
  validation: { rgb: [240, 170, 84], ansi16: 33 },
  test: { rgb: [190, 140, 220], ansi16: 35 },
  good: { rgb: [120, 196, 134], ansi16: 32 },
  warning: { rgb: [230, 190, 100], ansi16: 33 },
  bad: { rgb: [232, 104, 112], ansi16: 91 },
  badStrong: { rgb: [232, 104, 112], ansi16: 91, bold: true },
  key: { rgb: [205, 211, 222], ansi16: 37, bold: true },
});

export type StyleName = keyof typeof theme;
