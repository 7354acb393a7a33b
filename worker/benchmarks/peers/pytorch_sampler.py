"""PyTorch: completing digits with PixelRNN, each pixel's work done once, as teletrain's sampler does.

A layer's left direction at a pixel needs the states of the pixels before and above it. The right one,
moved down by a row, is only seen from the row below, so it goes over a row once that row is drawn.

Written for what is fast on a CPU: memory is allocated once and written in place; the given rows are
gone through diagonal by diagonal, both directions in one batched product; what a row's pixels need of
the row above (the states above times their weights, the right direction's part of the upsampling, the
convolution's taps above) is one product for the whole row before its first pixel is drawn.
"""
import numpy
import torch

ROWS = COLUMNS = 28
KERNEL = 7
REACH = KERNEL // 2


def shapes(layers, units, output_units):
    """Of all weights, in the order in which teletrain keeps them."""
    maps = 2 * units
    direction = [
        (maps, 4 * units),
        (2 * units, 4 * units),
        (4 * units,),
        (units,),
        (units,),
    ]
    layer = [*direction, *direction, (units, maps), (maps,)]
    widths = [maps, output_units, output_units, 1]
    dense = [
        shape
        for features, width in zip(widths, widths[1:])
        for shape in ((features, width), (width,))
    ]
    return [(KERNEL, KERNEL, 1, maps), (maps,), *(layer * layers), *dense]


def random_weights(layers, units, output_units):
    """Uniform as Glorot and Bengio have it; biases and initial states zero."""
    generator = torch.Generator().manual_seed(1)
    weights = []
    for shape in shapes(layers, units, output_units):
        limit = (6 / (shape[-2] + shape[-1])) ** 0.5 if len(shape) > 1 else 0
        weights.append((2 * torch.rand(shape, generator=generator) - 1) * limit)
    return weights


def read_weights(path, layers, units, output_units):
    """float32 numbers, one weight after the other."""
    numbers = torch.from_numpy(numpy.fromfile(path, "<f4"))
    wanted = shapes(layers, units, output_units)
    sizes = [int(numpy.prod(shape)) for shape in wanted]
    return [part.reshape(shape) for part, shape in zip(numbers.split(sizes), wanted)]


class Direction:
    """One direction of a layer. Its gates are in the order i, f, o, c: one sigmoid takes three."""

    def __init__(self, kernel, recurrent, bias, initial_output, initial_cell):
        units = initial_output.shape[0]
        order = torch.cat([torch.arange(units) + gate * units for gate in (0, 1, 3, 2)])
        self.kernel = kernel[:, order].contiguous()
        self.upper = recurrent[:units, order].contiguous()
        self.side = recurrent[units:, order].contiguous()
        self.bias = bias[order].contiguous()
        self.initial_output = initial_output
        self.initial_cell = initial_cell


class Layer:
    def __init__(self, weights):
        self.left = Direction(*weights[:5])
        self.right = Direction(*weights[5:10])
        self.upsample, self.upsample_bias = weights[10:]
        self.recurrents = torch.stack(
            [torch.cat([one.upper, one.side]) for one in (self.left, self.right)]
        )


def on_diagonal(map, direction, diagonal, first, end):
    """A view of a map's pixels (row, diagonal - row), columns counted from the direction's side."""
    row, column = map.stride()[:2]
    begin = diagonal - first if direction == 0 else COLUMNS - 1 - (diagonal - first)
    step = row - column if direction == 0 else row + column
    return map.as_strided(
        (end - first, *map.shape[2:]), (step, *map.stride()[2:]), first * row + begin * column
    )


class Gates:
    """A row's gates, [columns, count, 4 units], and views of them that a cell reads."""

    def __init__(self, count, units):
        self.all = torch.empty(COLUMNS, count, 4 * units)
        self.flat = self.all.reshape(-1, 4 * units)
        self.columns = list(self.all)
        self.sigmoids = [gates[:, : 3 * units] for gates in self.columns]
        self.candidates = [gates[:, 3 * units :] for gates in self.columns]
        self.inputs, self.forgets, self.outputs = (
            [gates[:, at * units : (at + 1) * units] for gates in self.columns] for at in range(3)
        )

    def cell(self, column, cells, output):
        self.sigmoids[column].sigmoid_()
        self.candidates[column].tanh_()
        cells.mul_(self.forgets[column]).addcmul_(self.inputs[column], self.candidates[column])
        torch.tanh(cells, out=output).mul_(self.outputs[column])


class RowStates:
    """A layer's states in the row that is drawn and, where it is not drawn yet, the one above."""

    def __init__(self, layer, count):
        units, maps = layer.upsample.shape
        self.left = torch.empty(COLUMNS, count, units)
        self.right = torch.empty(COLUMNS, count, units)
        self.cells = torch.empty(count, units)
        self.gates = Gates(count, units)
        # The right direction's part of the upsampling, as seen from the row below.
        self.seen_right = torch.empty(COLUMNS, count, maps)
        self.outside = [
            direction.initial_output.expand(count, units).contiguous()
            for direction in (layer.left, layer.right)
        ]

    def begin_row(self, layer):
        units, maps = layer.upsample.shape
        left = layer.left
        torch.addmm(left.bias, self.left.reshape(-1, units), left.upper, out=self.gates.flat)
        torch.addmm(
            layer.upsample_bias,
            self.right.reshape(-1, units),
            layer.upsample,
            out=self.seen_right.reshape(-1, maps),
        )
        self.cells.copy_(left.initial_cell)

    def advance(self, layer, column, input):
        side = self.left[column - 1] if column > 0 else self.outside[0]
        gates = self.gates.columns[column]
        gates.addmm_(input, layer.left.kernel).addmm_(side, layer.left.side)
        self.gates.cell(column, self.cells, self.left[column])

    def scan_right(self, layer, inputs):
        units, maps = layer.upsample.shape
        right = layer.right
        torch.addmm(right.bias, inputs.reshape(-1, maps), right.kernel, out=self.gates.flat)
        self.gates.flat.addmm_(self.right.reshape(-1, units), right.upper)
        self.cells.copy_(right.initial_cell)
        side = self.outside[1]
        for column in reversed(range(COLUMNS)):
            self.gates.columns[column].addmm_(side, right.side)
            side = self.right[column]
            self.gates.cell(column, self.cells, side)


class Sampler:
    def __init__(self, weights, pictures):
        self.count = count = pictures
        kernel, self.input_bias = weights[:2]
        taps = kernel.reshape(KERNEL * KERNEL, -1)
        self.maps = maps = taps.shape[1]
        self.units = units = maps // 2
        # Of the rows above as torch.nn.functional.conv2d has it, and of the pixels before.
        self.above_kernel = kernel[:REACH].permute(3, 2, 0, 1).contiguous()
        self.before_kernel = taps[KERNEL * REACH : KERNEL * REACH + REACH].contiguous()
        self.layers = [
            Layer(weights[at : at + 12]) for at in range(2, len(weights) - 6, 12)
        ]
        self.dense = list(zip(weights[-6::2], weights[-5::2]))

        self.inputs = [torch.empty(COLUMNS, count, maps) for _ in range(len(self.layers) + 1)]
        self.states = [RowStates(layer, count) for layer in self.layers]
        self.hidden = [torch.empty(count, bias.shape[0]) for _, bias in self.dense]
        self.activated = torch.empty(count, maps)

    @torch.inference_mode()
    def complete(self, pictures, given_rows, thresholds, logits=None):
        """
        pictures: float32 [count, 28, 28] of 0 and 1, completed in place from `given_rows` on.
        thresholds: [28 - given_rows, 28, count]; a pixel is 1 where its logit is larger.
        logits: takes those of the drawn pixels, in the thresholds' shape.
        """
        pictures[:, given_rows:] = 0
        padded = torch.zeros(self.count, ROWS + REACH, COLUMNS + 2 * REACH)
        padded[:, REACH : REACH + given_rows, REACH:-REACH] = pictures[:, :given_rows]
        self.read(padded, given_rows)
        for row in range(given_rows, ROWS):
            at = row - given_rows
            self.draw(padded, row, thresholds[at], None if logits is None else logits[at])
        pictures[:, given_rows:] = padded[:, REACH + given_rows :, REACH:-REACH]
        return pictures

    def read(self, padded, rows):
        """Leaves both directions' outputs in the last given row."""
        units = self.units
        maps = self.convolve(padded, rows)
        for index, (layer, state) in enumerate(zip(self.layers, self.states)):
            left, right = self.scan(layer, maps, rows)
            state.left.copy_(left[-1])
            state.right.copy_(right[-1])
            if index + 1 < len(self.layers):
                left[1:].add_(right[:-1])
                flat = maps.reshape(-1, self.maps)
                flat.addmm_(left.reshape(-1, units), layer.upsample).add_(layer.upsample_bias)

    def scan(self, layer, maps, rows):
        """Both directions' outputs [rows, columns, count, units], diagonal by diagonal."""
        count, units = self.count, self.units
        both = (layer.left, layer.right)
        projected = [
            torch.addmm(direction.bias, maps.reshape(-1, self.maps), direction.kernel).reshape(
                rows, COLUMNS, count, 4 * units
            )
            for direction in both
        ]
        outputs = [torch.empty(rows, COLUMNS, count, units) for _ in both]
        # Above the first row and beside every row's first pixel are the initial states.
        states = torch.stack([direction.initial_output for direction in both])
        states = states[:, None, None].repeat(1, rows + 1, count, 1)
        cells = torch.stack([direction.initial_cell for direction in both])
        cells = cells[:, None, None].repeat(1, rows, count, 1)
        around = torch.empty(2, rows * count, 2 * units)
        gates = torch.empty(2, rows * count, 4 * units)
        for diagonal in range(COLUMNS + rows - 1):
            first, end = max(0, diagonal - COLUMNS + 1), min(rows, diagonal + 1)
            here = around[:, : (end - first) * count]
            pixels = here.reshape(2, end - first, count, 2 * units)
            pixels[..., :units] = states[:, first:end]
            pixels[..., units:] = states[:, first + 1 : end + 1]
            gate = gates[:, : (end - first) * count]
            torch.bmm(here, layer.recurrents, out=gate)
            gate = gate.reshape(2, end - first, count, 4 * units)
            for at, map in enumerate(projected):
                gate[at] += on_diagonal(map, at, diagonal, first, end)
            sigmoids = gate[..., : 3 * units].sigmoid_()
            candidate = gate[..., 3 * units :].tanh_()
            cell = cells[:, first:end]
            cell.mul_(sigmoids[..., units : 2 * units]).addcmul_(sigmoids[..., :units], candidate)
            output = states[:, first + 1 : end + 1]
            torch.mul(torch.tanh(cell), sigmoids[..., 2 * units :], out=output)
            for at, map in enumerate(outputs):
                on_diagonal(map, at, diagonal, first, end).copy_(output[at])
        return outputs

    def convolve(self, padded, rows):
        """The input convolution of whole rows, [rows, columns, count, maps]."""
        above = padded[:, None, : rows + REACH - 1]
        maps = torch.nn.functional.conv2d(above, self.above_kernel, self.input_bias)
        before = padded[:, REACH : REACH + rows, : COLUMNS + REACH - 1].unfold(2, REACH, 1)
        maps = maps.permute(2, 3, 0, 1).contiguous()
        return maps.add_((before @ self.before_kernel).permute(1, 2, 0, 3))

    def draw(self, padded, row, thresholds, logits):
        maps = self.inputs
        above = padded[:, None, row : row + REACH]
        above = torch.nn.functional.conv2d(above, self.above_kernel, self.input_bias)
        maps[0].copy_(above[:, :, 0].permute(2, 0, 1))
        for layer, state in zip(self.layers, self.states):
            state.begin_row(layer)
        drawn = padded[:, row + REACH]
        (first, first_bias), (second, second_bias), (last, last_bias) = self.dense
        for column in range(COLUMNS):
            maps[0][column].addmm_(drawn[:, column : column + REACH], self.before_kernel)
            for index, (layer, state) in enumerate(zip(self.layers, self.states)):
                input, output = maps[index][column], maps[index + 1][column]
                state.advance(layer, column, input)
                torch.addmm(state.seen_right[column], state.left[column], layer.upsample, out=output)
                output.add_(input)
            torch.clamp_min(maps[-1][column], 0, out=self.activated)
            torch.addmm(first_bias, self.activated, first, out=self.hidden[0]).relu_()
            torch.addmm(second_bias, self.hidden[0], second, out=self.hidden[1]).relu_()
            logit = torch.addmm(last_bias, self.hidden[1], last, out=self.hidden[2])[:, 0]
            drawn[:, column + REACH] = logit > thresholds[column]
            if logits is not None:
                logits[column] = logit
        if row + 1 < ROWS:
            for layer, state, input in zip(self.layers, self.states, maps):
                state.scan_right(layer, input)
