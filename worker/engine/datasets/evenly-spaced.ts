/**
 * `taken` places spread evenly over `0 .. available - 1`, in order; all of them when `taken` equals
 * `available`. For examples that lie in an order that means something.
 */
export function evenlySpaced(taken: number, available: number): Uint32Array {
  return Uint32Array.from({ length: taken }, (_, place) =>
    Math.floor(((place + 0.5) * available) / taken),
  );
}
