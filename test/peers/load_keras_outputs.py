"""Outputs of a checkpoint's network in real Keras, by the load_keras.py that lies in it.

    load_keras_outputs.py FOLDER [TOKENS]

TOKENS is a JSON file with rows of tokens. Prints JSON.
"""
import importlib.util
import json
import pathlib
import sys

import numpy
from safetensors.numpy import load_file

folder, *token_files = map(pathlib.Path, sys.argv[1:])
path = folder / "load_keras.py"
spec = importlib.util.spec_from_file_location("load_keras", path)
load_keras = importlib.util.module_from_spec(spec)
spec.loader.exec_module(load_keras)
weights = load_keras.load_weights()
try:
    model = load_keras.load_model()
except LookupError as error:
    answer = {"error": str(error)}
else:
    tokens = [numpy.array(json.loads(file.read_text()), "int32") for file in token_files]
    outputs = model.predict(numpy.concatenate(tokens), verbose=0)
    answer = {
        "outputs": outputs[:, 0].tolist(),
        "parameters": model.count_params(),
        "layers": [type(layer).__name__ for layer in model.layers],
    }
# The reference reader must agree with the script's own.
reference = load_file(folder / "model.safetensors")
assert list(sorted(reference)) == list(sorted(weights))
assert all(numpy.array_equal(reference[name], array) for name, array in weights.items())
answer["weights"] = {name: list(array.shape) for name, array in weights.items()}
json.dump(answer, sys.stdout)
