/** The layers over pictures in float64, as their equations say, one number at a time. */
import { diagonalLstm64, type PixelLayout } from './double-precision-layers.ts';

type Numbers = ArrayLike<number>;

const at = (values: Numbers | undefined, index: number) => values?.[index] ?? Number.NaN;

/** See `dense`; the residual may be left out. */
export function dense64(
  { rows, columns, batch, features, units }: PixelLayout,
  [x, kernel, bias, residual]: Numbers[],
  relu: boolean,
): Float64Array {
  return Float64Array.from({ length: rows * columns * batch * units }, (_, place) => {
    const [row, unit] = [Math.floor(place / units), place % units];
    let sum = at(bias, unit) + (residual ? at(residual, place) : 0);
    for (let feature = 0; feature < features; feature++) {
      const value = at(x, row * features + feature);
      sum += (relu ? Math.max(value, 0) : value) * at(kernel, feature * units + unit);
    }
    return sum;
  });
}

/** See `maskedConvolution`. */
export function maskedConvolution64(
  { rows, columns, batch, features, units }: PixelLayout,
  [x, kernel, bias]: Numbers[],
  kernelSize: number,
  seesItself: boolean,
): Float64Array {
  const outputs = new Float64Array(rows * columns * batch * units);
  const reach = (kernelSize - 1) / 2;
  for (const place of outputs.keys()) {
    const [unit, row] = [place % units, Math.floor(place / units)];
    const [example, pixel] = [row % batch, Math.floor(row / batch)];
    let sum = at(bias, unit);
    for (let tap = 0; tap < kernelSize * kernelSize; tap++) {
      const seenRow = Math.floor(pixel / columns) + Math.floor(tap / kernelSize) - reach;
      const seenColumn = (pixel % columns) + (tap % kernelSize) - reach;
      const seen = seenRow * columns + seenColumn;
      const isHidden = seesItself ? seen > pixel : seen >= pixel;
      if (seenRow < 0 || seenRow >= rows || seenColumn < 0 || seenColumn >= columns || isHidden) {
        continue;
      }
      for (let feature = 0; feature < features; feature++) {
        const value = at(x, (seen * batch + example) * features + feature);
        sum += value * at(kernel, (tap * features + feature) * units + unit);
      }
    }
    outputs[place] = sum;
  }
  return outputs;
}

/** See `diagonalBiLstmLayer`: five weights of the left direction, of the right one, kernel, bias. */
export function diagonalBiLstmLayer64(layout: PixelLayout, inputs: Numbers[]): Float64Array {
  const { columns, batch, features, units } = layout;
  const [maps] = inputs as [Numbers];
  const left = diagonalLstm64(layout, [maps, ...inputs.slice(1, 6)], false);
  const right = diagonalLstm64(layout, [maps, ...inputs.slice(6, 11)], true);
  const line = columns * batch * units;
  const both = left.map((value, place) => value + (place < line ? 0 : at(right, place - line)));
  const upsample = { ...layout, features: units, units: features };
  return dense64(upsample, [both, ...inputs.slice(11), maps], false);
}
