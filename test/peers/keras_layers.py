"""Recurrent layers in real Keras, made from the configs that tfjs saved.

Reads from the file named by the first argument a list of cases:
{"layer": {"class_name", "config"}, "calls": [[[...]]] inputs of one call after the other,
 "masked": whether timesteps of zeros are masked, "states": [...] initial states,
 "weights": [...] in Keras' order, "targets": what the first call's output is trained towards, or null,
 "learningRate"}
where an array is {"shape", "values"}. Prints for each case its outputs by call, its weights after one
step of SGD on the mean squared error and the layer's regularizers, and the layer as Keras saves it.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy
import tensorflow


def array(given):
    return numpy.array(given["values"], "float32").reshape(given["shape"])


def listed(tensor):
    value = numpy.array(tensor)
    return {"shape": list(value.shape), "values": value.ravel().tolist()}


def made(saved):
    """The layer of a config as tfjs saves it, as Keras 2 did: without the module of its class."""
    config = dict(saved["config"])
    if "layer" in config:
        config["layer"] = dict(config["layer"], module="keras.layers", registered_name=None)
    return getattr(keras.layers, saved["class_name"]).from_config(config)


def answer(case):
    layer = made(case["layer"])
    calls = [array(inputs) for inputs in case["calls"]]
    states = [array(state) for state in case["states"]]

    def call(inputs):
        options = {}
        if case["masked"]:
            options["mask"] = tensorflow.constant(numpy.any(inputs != 0, axis=-1))
        if states:
            options["initial_state"] = [tensorflow.constant(state) for state in states]
        outputs = layer(tensorflow.constant(inputs), **options)
        return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]

    layer.build(calls[0].shape)
    layer.set_weights([array(weight) for weight in case["weights"]])
    result = {"outputs": [[listed(output) for output in call(inputs)] for inputs in calls]}
    if case["targets"] is not None:
        with tensorflow.GradientTape() as tape:
            error = call(calls[0])[0] - array(case["targets"])
            loss = tensorflow.reduce_mean(error * error) + sum(layer.losses)
        variables = [weight.value for weight in layer.trainable_weights]
        for variable, gradient in zip(variables, tape.gradient(loss, variables)):
            variable.assign_sub(case["learningRate"] * gradient)
        result["trained"] = [listed(weight) for weight in layer.get_weights()]
    result["saved"] = keras.saving.serialize_keras_object(layer)
    return result


with open(sys.argv[1], encoding="utf-8") as file:
    json.dump([answer(case) for case in json.load(file)], sys.stdout)
