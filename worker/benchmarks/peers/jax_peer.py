"""JAX: PixelRNN with Diagonal BiLSTM layers as one jitted training step.

The states of a picture's diagonal are computed at once: rows are skewed, and `lax.scan` goes over the
columns of the skewed map. The input-to-state convolution is one product before the scan.
"""
import itertools
import os

import peer

ROWS = COLUMNS = 28
SKEWED = ROWS + COLUMNS - 1
KERNEL = 7
# Of the mask-A kernel, in raster order.
LIVE_TAPS = KERNEL * KERNEL // 2


def load():
    import jax
    import jaxlib

    return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}


def prepare(workload, threads):
    if hasattr(os, "sched_setaffinity"):
        # XLA takes as many threads as it may run on processors.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    if workload["kind"] != "pixel-rnn":
        raise ValueError(f"There is no {workload['kind']} here.")
    return pixel_rnn(workload), None


def pixel_rnn(workload):
    import jax
    import jax.numpy as jnp

    parameters = initial(workload)
    state = (parameters, zeros_like(parameters), zeros_like(parameters), jnp.zeros((), "int32"))
    train = jax.jit(
        lambda state, pixels: update(state, pixels, workload), donate_argnums=(0,)
    )
    # In raster order with the batch inside, as the network computes.
    batches = itertools.cycle(
        [
            jnp.asarray(pixels.transpose(1, 2, 0), "float32")
            for pixels in peer.pictures(workload)
        ]
    )

    def step():
        nonlocal state
        state, loss = train(state, next(batches))
        jax.block_until_ready(state)
        return float(loss)

    return step


def zeros_like(parameters):
    import jax

    return jax.tree.map(jax.numpy.zeros_like, parameters)


def initial(workload):
    """Glorot's uniform weights and zero biases; forget gates' biases one."""
    import jax
    import jax.numpy as jnp

    keys = iter(jax.random.split(jax.random.key(1), 64))
    units, outputs = workload["units"], workload["outputUnits"]
    maps = 2 * units

    def dense(inputs, width):
        limit = (6 / (inputs + width)) ** 0.5
        return {
            "kernel": jax.random.uniform(next(keys), (inputs, width), minval=-limit, maxval=limit),
            "bias": jnp.zeros(width),
        }

    def direction():
        return {
            "input": dense(maps, 4 * units),
            "recurrent": dense(2 * units, 4 * units)["kernel"],
            "output": jnp.zeros(units),
            "cell": jnp.zeros(units),
        }

    parameters = {
        "input": dense(LIVE_TAPS, maps),
        "layers": [
            {"left": direction(), "right": direction(), "upsample": dense(units, maps)}
            for _ in range(workload["layers"])
        ],
        "output": [dense(maps, outputs), dense(outputs, outputs), dense(outputs, 1)],
    }
    for layer in parameters["layers"]:
        for side in ("left", "right"):
            layer[side]["input"]["bias"] = jnp.zeros(4 * units).at[units : 2 * units].set(1)
    return parameters


def update(state, pixels, workload):
    """One step of Adam with Keras' defaults, gradients clipped to a global norm."""
    import jax
    import jax.numpy as jnp

    parameters, momentum, velocity, count = state
    loss, gradients = jax.value_and_grad(negative_log_likelihood)(parameters, pixels)
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(gradients)))
    scale = workload["clipNorm"] / jnp.maximum(norm, workload["clipNorm"])
    gradients = jax.tree.map(lambda g: g * scale, gradients)
    count = count + 1
    momentum = jax.tree.map(lambda m, g: m + 0.1 * (g - m), momentum, gradients)
    velocity = jax.tree.map(lambda v, g: v + 0.001 * (g * g - v), velocity, gradients)
    rate = workload["learningRate"] * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    parameters = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), parameters, momentum, velocity
    )
    return (parameters, momentum, velocity, count), loss


def negative_log_likelihood(parameters, pixels):
    """In nats a picture. pixels: [rows, columns, batch] of 0 and 1."""
    import jax.numpy as jnp

    logits = network(parameters, pixels)
    entropy = jnp.maximum(logits, 0) - logits * pixels + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    return jnp.sum(entropy) / pixels.shape[2]


def network(parameters, pixels):
    import jax
    import jax.numpy as jnp

    reach = KERNEL // 2
    padded = jnp.pad(pixels, ((reach, 0), (reach, reach), (0, 0)))
    seen = jnp.stack(
        [
            padded[tap // KERNEL :, tap % KERNEL :][:ROWS, :COLUMNS]
            for tap in range(LIVE_TAPS)
        ],
        axis=-1,
    )
    maps = dense(parameters["input"], seen)
    for layer in parameters["layers"]:
        left, right = diagonal_lstms(
            (layer["left"], layer["right"]), (maps, maps[:, ::-1])
        )
        right = right[:, ::-1]
        # A pixel must not see those after it: the right direction's map moves down by one row.
        right = jnp.pad(right[:-1], ((1, 0), (0, 0), (0, 0), (0, 0)))
        maps = maps + dense(layer["upsample"], left + right)
    for convolution in parameters["output"]:
        maps = dense(convolution, jax.nn.relu(maps))
    return maps[..., 0]


def dense(weights, maps):
    return maps @ weights["kernel"] + weights["bias"]


def diagonal_lstms(directions, maps):
    """Each of maps, [rows, columns, batch, features], to [rows, columns, batch, units]; the state
    comes from the left. One scan for all directions and products of two matrices measured best.
    """
    import jax
    import jax.numpy as jnp

    batch, units = maps[0].shape[2], directions[0]["cell"].shape[0]
    inputs = [skew(dense(weights["input"], map)) for weights, map in zip(directions, maps)]
    outside = [
        tuple(jnp.broadcast_to(weights[part], (ROWS, batch, units)) for part in ("output", "cell"))
        for weights in directions
    ]
    # Row r begins at column r of the skewed map.
    begun = jnp.arange(SKEWED)[:, None] >= jnp.arange(ROWS)[None]

    def cell(weights, outside, state, gates, begun):
        output, cell = state
        above = jnp.concatenate([outside[0][:1], output[:-1]])
        around = jnp.concatenate([above, output], axis=-1).reshape(ROWS * batch, 2 * units)
        gates = gates + (around @ weights["recurrent"]).reshape(ROWS, batch, 4 * units)
        i, f, c, o = jnp.split(gates, 4, axis=-1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(c)
        output = jax.nn.sigmoid(o) * jnp.tanh(cell)
        here = begun[:, None, None]
        return jnp.where(here, output, outside[0]), jnp.where(here, cell, outside[1])

    def column(states, at):
        gates, begun = at
        states = [
            cell(*given, begun) for given in zip(directions, outside, states, gates)
        ]
        return states, [output for output, _ in states]

    _, outputs = jax.lax.scan(column, outside, (inputs, begun))
    return [unskew(output) for output in outputs]


def skew(maps):
    """[rows, columns, ...] to [skewed columns, rows, ...], row r moved right by r."""
    import jax.numpy as jnp

    rest = maps.shape[2:]
    padded = jnp.pad(maps, ((0, 0), (0, ROWS)) + ((0, 0),) * len(rest))
    flat = padded.reshape(ROWS * (COLUMNS + ROWS), *rest)[: ROWS * SKEWED]
    return flat.reshape(ROWS, SKEWED, *rest).swapaxes(0, 1)


def unskew(maps):
    """The way back."""
    import jax.numpy as jnp

    rest = maps.shape[2:]
    flat = maps.swapaxes(0, 1).reshape(ROWS * SKEWED, *rest)
    padded = jnp.pad(flat, ((0, ROWS),) + ((0, 0),) * len(rest))
    return padded.reshape(ROWS, SKEWED + 1, *rest)[:, :COLUMNS]


if __name__ == "__main__":
    peer.serve(load, prepare)
