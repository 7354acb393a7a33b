/**
 * `taken` places spread evenly over `0 .. available - 1`, in order; all of them when `taken` equals
 * `available`. For examples that lie in an order that means something.
 */
export function evenlySpaced(taken: number, available: number): Uint32Array {
  return Uint32Array.from({ length: taken }, (_, place) =>
    Math.floor(((place + 0.5) * available) / taken),
  );
}

/**
 * The same places in an order in which neighbours lie `stride` apart, so that the first few already
 * come from everywhere: 0, stride, 2 stride, .., 1, stride + 1, ...
 */
export function spreadOut(places: Uint32Array, stride: number): Uint32Array {
  const order = [...places.keys()].sort((a, b) => (a % stride) - (b % stride) || a - b);
  return Uint32Array.from(order, (from) => places[from] ?? 0);
}
