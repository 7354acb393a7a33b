/** The recurrent layers in float64, as their equations say, one number at a time. */

type Numbers = ArrayLike<number>;

export interface PixelLayout {
  readonly rows: number;
  readonly columns: number;
  readonly batch: number;
  readonly features: number;
  readonly units: number;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const at = (values: Numbers, index: number) => values[index] ?? Number.NaN;

/** x · kernel of one row: `from` is where the row begins in x, `width` the kernel's columns. */
function product(x: Numbers, from: number, depth: number, kernel: Numbers, width: number) {
  return (row: number, column: number) => {
    let sum = 0;
    for (let k = 0; k < depth; k++) {
      sum += at(x, from + k) * at(kernel, (row + k) * width + column);
    }
    return sum;
  };
}

/** h of every pixel taken as one timestep after the other, then the last h; see `simpleRnn`. */
export function simpleRnn64(size: PixelLayout, [x, w, u, b, h0]: Numbers[]): Float64Array {
  const { batch, features, units } = size;
  const steps = size.rows * size.columns;
  const [inputs, kernel, recurrent, bias, initial] = [x, w, u, b, h0] as [
    ...[Numbers, Numbers, Numbers],
    ...[Numbers, Numbers],
  ];
  const outputs = new Float64Array(steps * batch * units);
  for (let row = 0; row < steps * batch; row++) {
    const isFirst = row < batch;
    const before = isFirst ? initial : outputs;
    const fromInputs = product(inputs, row * features, features, kernel, units);
    const fromState = product(
      before,
      (isFirst ? row : row - batch) * units,
      units,
      recurrent,
      units,
    );
    for (let unit = 0; unit < units; unit++) {
      const sum = at(bias, unit) + fromInputs(0, unit) + fromState(0, unit);
      outputs[row * units + unit] = Math.tanh(sum);
    }
  }
  return withLast(outputs, batch * units);
}

/** h of every pixel; see `diagonalLstm`. */
export function diagonalLstm64(
  size: PixelLayout,
  [x, w, u, b, h0, c0]: Numbers[],
  fromRight: boolean,
): Float64Array {
  const { rows, columns, batch, features, units } = size;
  const [inputs, kernel, recurrent, bias, output0, cell0] = [x, w, u, b, h0, c0] as [
    ...[Numbers, Numbers, Numbers],
    ...[Numbers, Numbers, Numbers],
  ];
  const width = 4 * units;
  const outputs = new Float64Array(rows * columns * batch * units);
  const cells = new Float64Array(outputs.length);
  for (let row = 0; row < rows; row++) {
    for (let scanned = 0; scanned < columns; scanned++) {
      const pixel = row * columns + (fromRight ? columns - 1 - scanned : scanned);
      const beside = fromRight ? pixel + 1 : pixel - 1;
      for (let example = 0; example < batch; example++) {
        const place = (of: number) => (of * batch + example) * units;
        const hasSide = scanned > 0;
        const sums = [
          product(inputs, (pixel * batch + example) * features, features, kernel, width),
          row > 0
            ? product(outputs, place(pixel - columns), units, recurrent, width)
            : product(output0, 0, units, recurrent, width),
          hasSide
            ? product(outputs, place(beside), units, recurrent, width)
            : product(output0, 0, units, recurrent, width),
        ] as const;
        for (let unit = 0; unit < units; unit++) {
          const gate = (index: number) => {
            const column = index * units + unit;
            const [input, upper, side] = sums;
            return at(bias, column) + input(0, column) + upper(0, column) + side(units, column);
          };
          const before = hasSide ? at(cells, place(beside) + unit) : at(cell0, unit);
          const cell = sigmoid(gate(1)) * before + sigmoid(gate(0)) * Math.tanh(gate(2));
          cells[place(pixel) + unit] = cell;
          outputs[place(pixel) + unit] = sigmoid(gate(3)) * Math.tanh(cell);
        }
      }
    }
  }
  return outputs;
}

/** As `simpleRnn64`, the last cell after the last h; see `lstm`. */
export function lstm64(size: PixelLayout, [x, w, u, b, h0, c0]: Numbers[]): Float64Array {
  const { batch, features, units } = size;
  const [inputs, kernel, recurrent, bias, initial] = [x, w, u, b, h0] as [
    ...[Numbers, Numbers, Numbers],
    ...[Numbers, Numbers],
  ];
  const width = 4 * units;
  const outputs = new Float64Array(size.rows * size.columns * batch * units);
  const cells = Float64Array.from(c0 as Numbers);
  for (let row = 0; row < outputs.length / units; row++) {
    const isFirst = row < batch;
    const before = isFirst ? initial : outputs;
    const from = (isFirst ? row : row - batch) * units;
    const fromInputs = product(inputs, row * features, features, kernel, width);
    const fromState = product(before, from, units, recurrent, width);
    for (let unit = 0; unit < units; unit++) {
      const gate = (index: number) => {
        const column = index * units + unit;
        return at(bias, column) + fromInputs(0, column) + fromState(0, column);
      };
      const place = (row % batch) * units + unit;
      const cell = sigmoid(gate(1)) * at(cells, place) + sigmoid(gate(0)) * Math.tanh(gate(2));
      cells[place] = cell;
      outputs[row * units + unit] = sigmoid(gate(3)) * Math.tanh(cell);
    }
  }
  return Float64Array.from([...withLast(outputs, batch * units), ...cells]);
}

/** As `simpleRnn64`; see `gru`. */
export function gru64(
  size: PixelLayout,
  [x, w, u, b, h0]: Numbers[],
  resetAfter: boolean,
): Float64Array {
  const { batch, features, units } = size;
  const [inputs, kernel, recurrent, bias, initial] = [x, w, u, b, h0] as [
    ...[Numbers, Numbers, Numbers],
    ...[Numbers, Numbers],
  ];
  const width = 3 * units;
  const outputs = new Float64Array(size.rows * size.columns * batch * units);
  for (let row = 0; row < outputs.length / units; row++) {
    const isFirst = row < batch;
    const from = (isFirst ? row : row - batch) * units;
    const before = Float64Array.from({ length: units }, (_, unit) =>
      at(isFirst ? initial : outputs, from + unit),
    );
    const fromInputs = product(inputs, row * features, features, kernel, width);
    const fromState = product(before, 0, units, recurrent, width);
    const stateBias = (column: number) => (resetAfter ? at(bias, width + column) : 0);
    const gate = (index: number, unit: number) => {
      const column = index * units + unit;
      return sigmoid(
        at(bias, column) + fromInputs(0, column) + fromState(0, column) + stateBias(column),
      );
    };
    const reset = before.map((h, unit) => gate(1, unit) * h);
    const fromReset = product(reset, 0, units, recurrent, width);
    for (let unit = 0; unit < units; unit++) {
      const column = 2 * units + unit;
      const ofState = resetAfter
        ? gate(1, unit) * (fromState(0, column) + stateBias(column))
        : fromReset(0, column);
      const candidate = Math.tanh(at(bias, column) + fromInputs(0, column) + ofState);
      const update = gate(0, unit);
      outputs[row * units + unit] = update * at(before, unit) + (1 - update) * candidate;
    }
  }
  return withLast(outputs, batch * units);
}

function withLast(outputs: Float64Array, size: number): Float64Array {
  return Float64Array.from([...outputs, ...outputs.subarray(outputs.length - size)]);
}
