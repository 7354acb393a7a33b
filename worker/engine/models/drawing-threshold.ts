/**
 * The float32 number that a pixel's logit must exceed for the pixel to be drawn as 1, from a uniform
 * random number: u < sigmoid(l) is the same as l > ln(u / (1 - u)). The right side is computed once,
 * here, so that a drawing never depends on whose exponential is called: whoever has the logit's bits
 * has the pixel.
 *
 * Rounding the threshold moves the probability of a 1 by less than 1.4e-8 (|t| · 2^-24 times the
 * sigmoid's slope at t). For u = 0 it is -Infinity, which every finite logit exceeds, as
 * 0 < sigmoid(l) wants; a logit that is NaN exceeds nothing and gives 0.
 *
 * With a temperature T the logit is divided by T first: u < sigmoid(l / T) is l > T · ln(u / (1 - u)).
 *
 * @param uniform in [0, 1)
 * @param temperature above 0; 1 draws from the model itself
 */
export function drawingThreshold(uniform: number, temperature = 1): number {
  return Math.fround(temperature * Math.log(uniform / (1 - uniform)));
}

/**
 * Thresholds of one row, [columns, count]: one random number each, pixel by pixel from the left and
 * picture by picture within a pixel.
 */
export function rowThresholds(
  columns: number,
  count: number,
  random: () => number,
  temperature = 1,
): Float32Array {
  const thresholds = new Float32Array(columns * count);
  for (let place = 0; place < thresholds.length; place++) {
    thresholds[place] = drawingThreshold(random(), temperature);
  }
  return thresholds;
}
