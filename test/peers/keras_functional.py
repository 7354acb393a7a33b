"""A functional model with two inputs and two outputs in real Keras: training, then predictions.

Reads from the file named by the first argument:
{"weights": {layer: [array, ...]}, "inputs": {"a", "b"}, "targets": {"kind", "size"}, "steps",
 "learningRate"}
where an array is {"shape", "values"}. Trains it by RMSprop on the one batch, on the sum of the categorical
crossentropy of `kind` and the mean squared error of `size`, and prints as JSON
{"losses": what each step returns, by name, "outputs": {"kind", "size"} after it}.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy


def array(given):
    return numpy.array(given["values"], "float32").reshape(given["shape"])


def arrays(given):
    return {name: array(one) for name, one in given.items()}


with open(sys.argv[1], encoding="utf-8") as file:
    request = json.load(file)

a = keras.Input((4,), name="a")
b = keras.Input((5, 2), name="b")
read = keras.layers.LSTM(3, name="read")(b)
mixed = keras.layers.Dense(4, activation="tanh", name="mixed")(
    keras.layers.Concatenate(name="both")([a, read])
)
kind = keras.layers.Dense(3, activation="softmax", name="kind")(mixed)
size = keras.layers.Dense(1, name="size")(mixed)
model = keras.Model([a, b], {"kind": kind, "size": size})
for name, weights in request["weights"].items():
    model.get_layer(name).set_weights([array(one) for one in weights])

model.compile(
    optimizer=keras.optimizers.RMSprop(request["learningRate"]),
    loss={"kind": "categorical_crossentropy", "size": "mean_squared_error"},
)
inputs, targets = arrays(request["inputs"]), arrays(request["targets"])
losses = []
for _ in range(request["steps"]):
    # What Keras returns is otherwise a mean over the steps before, too.
    model.reset_metrics()
    losses.append({key: float(value) for key, value in model.train_on_batch(
        inputs, targets, return_dict=True).items()})
outputs = model.predict_on_batch(inputs)
json.dump(
    {
        "losses": losses,
        "outputs": {name: numpy.array(outputs[name]).ravel().tolist() for name in outputs},
    },
    sys.stdout,
)
