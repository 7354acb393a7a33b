/** Grey digits: 28 x 28 bytes each, row-major, with the digit each shows. */
export interface GreyDigits {
  readonly pictures: Uint8Array;
  readonly labels: Uint8Array;
}

export const pictureShape = [28, 28, 1] as const;
export const picturePixels = 28 * 28;
