"""Keras 3 on TensorFlow: a compiled model and train_on_batch, with XLA where that is faster here."""
import itertools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import peer


def load():
    import keras
    import tensorflow

    return {"keras": keras.__version__, "tensorflow": tensorflow.__version__}


def prepare(workload, threads):
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    if workload["kind"] != "sentiment":
        raise ValueError(f"Keras has no {workload['kind']}.")
    steps = {name: sentiment(workload, jit) for name, jit in (("off", False), ("on", True))}
    times = {name: peer.median_step(step, warm=2, steps=3) for name, step in steps.items()}
    best = min(times, key=times.get)
    tried = ", ".join(f"{name} {time:.0f} ms" for name, time in times.items())
    return steps[best], f"jit_compile {best} ({tried} when tried)"


def sentiment(workload, jit):
    import keras

    recurrent = getattr(keras.layers, workload["layer"])
    last = workload["layers"] - 1
    model = keras.Sequential(
        [
            keras.Input((workload["timesteps"],), dtype="int32"),
            keras.layers.Embedding(workload["vocabulary"], workload["embeddingUnits"]),
            *(
                recurrent(workload["units"], return_sequences=index < last)
                for index in range(workload["layers"])
            ),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(workload["learningRate"]),
        loss="binary_crossentropy",
        metrics=["accuracy"],
        jit_compile=jit,
    )
    tokens, labels = peer.reviews(workload)
    batches = itertools.cycle([(x, y.astype("float32")[:, None]) for x, y in zip(tokens, labels)])
    return lambda: model.train_on_batch(*next(batches))


if __name__ == "__main__":
    peer.serve(load, prepare)
