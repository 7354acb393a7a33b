"""A sentiment network in real Keras from given weights: outputs, loss, gradients, and training.

Reads from the file named by the first argument:
{"layer": "SimpleRNN" | "LSTM" | "GRU", "layers", "units", "vocabulary", "embeddingUnits",
 "weights": [{"shape": [...], "values": [...]}, ...] in Keras' order,
 "batches": [{"tokens": [[...]], "targets": [...]}, ...],
 "optimizer": "rmsprop" | "adam", "learningRate", "clipNorm": 0 for none, "emaMomentum": 0 for none}
Prints as JSON what the first batch gives before training, and the weights, the optimizer's state
and every step's loss and accuracy after one step on each batch.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy
import tensorflow

with open(sys.argv[1], encoding="utf-8") as file:
    request = json.load(file)

recurrent = getattr(keras.layers, request["layer"])
model = keras.Sequential(
    [keras.layers.Embedding(request["vocabulary"], request["embeddingUnits"])]
    + [
        recurrent(request["units"], return_sequences=index < request["layers"] - 1)
        for index in range(request["layers"])
    ]
    + [keras.layers.Dense(1, activation="sigmoid")]
)
batches = [
    (numpy.array(batch["tokens"], "int32"), numpy.array(batch["targets"], "float32")[:, None])
    for batch in request["batches"]
]
tokens, targets = batches[0]
model(tokens)
model.set_weights(
    [numpy.array(w["values"], "float32").reshape(w["shape"]) for w in request["weights"]]
)


def listed(arrays):
    return [numpy.array(array).ravel().tolist() for array in arrays]


def forward_and_backward(tokens, targets):
    """Outputs, loss and dense gradients.

    Keras 3 itself keeps an embedding's gradient as one slice for each place of a token, and its
    RMSprop then squares the slices and not their sum. Keras 2, with which the report was made, and
    the formula take the sum; so do these gradients.
    """
    with tensorflow.GradientTape() as tape:
        outputs = model(tokens, training=True)
        loss = tensorflow.reduce_mean(keras.losses.binary_crossentropy(targets, outputs))
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    return outputs, loss, [tensorflow.convert_to_tensor(gradient) for gradient in gradients]


outputs, loss, gradients = forward_and_backward(tokens, targets)
answer = {
    "outputs": listed([outputs])[0],
    "loss": float(loss),
    "gradients": listed(gradients),
    "steps": [],
}

optimizers = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam}
optimizer = optimizers[request["optimizer"]](
    learning_rate=request["learningRate"],
    global_clipnorm=request["clipNorm"] or None,
    use_ema=request["emaMomentum"] > 0,
    ema_momentum=request["emaMomentum"],
)
for tokens, targets in batches:
    outputs, loss, gradients = forward_and_backward(tokens, targets)
    accuracy = tensorflow.reduce_mean(keras.metrics.binary_accuracy(targets, outputs))
    answer["steps"].append([float(loss), float(accuracy)])
    optimizer.apply(gradients, model.trainable_weights)
answer["weights"] = listed(model.get_weights())
answer["state"] = {
    variable.path: numpy.array(variable).ravel().tolist() for variable in optimizer.variables
}
json.dump(answer, sys.stdout)
