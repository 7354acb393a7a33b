/**
 * `load_keras.py`, which lies in every checkpoint: plain Python for whoever has the checkpoint and
 * not teletrain. It is kept as text so that it is wherever the compiled worker is.
 */
export const loadKerasScript = `"""Opens this teletrain checkpoint in Python. Needs numpy, and keras 3 for the model.

    import load_keras
    weights = load_keras.load_weights()   # numpy arrays by name, always
    model = load_keras.load_model()       # a Keras model, where Keras has the layers

or, in a shell:  python load_keras.py [--save model.keras]
"""
import argparse
import json
import pathlib

import numpy

HERE = pathlib.Path(__file__).resolve().parent

# What Keras 3 takes of each layer's config in model.json.
OPTIONS = {
    "Embedding": ("input_dim", "output_dim", "mask_zero"),
    "SimpleRNN": ("units", "activation", "use_bias", "return_sequences"),
    "LSTM": ("units", "activation", "recurrent_activation", "use_bias", "unit_forget_bias",
             "return_sequences"),
    "GRU": ("units", "activation", "recurrent_activation", "use_bias", "reset_after",
            "return_sequences"),
    "Dense": ("units", "activation", "use_bias"),
}


def read_safetensors(path):
    """The arrays of a safetensors file by name: a length, a JSON header, then the bytes."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    arrays = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        dtype = {"F32": "<f4", "I32": "<i4"}[entry["dtype"]]
        begin, end = (start + offset for offset in entry["data_offsets"])
        arrays[name] = numpy.frombuffer(data[begin:end], dtype).reshape(entry["shape"])
    return arrays


def load_weights(folder=HERE):
    """The network's weights as numpy arrays by name."""
    return read_safetensors(pathlib.Path(folder) / "model.safetensors")


def load_model(folder=HERE):
    """The network in Keras with the checkpoint's weights. LookupError where Keras has no such layers."""
    topology = pathlib.Path(folder) / "model.json"
    if not topology.exists():
        raise LookupError(
            "This network has masked convolutions or Diagonal BiLSTM layers, which Keras lacks, so "
            "there is no Keras model to rebuild; load_weights() gives its weights as numpy arrays.")
    import keras

    arrays = load_weights(folder)
    layers = json.loads(topology.read_text())["modelTopology"]["model_config"]["config"]["layers"]
    model = keras.Sequential([keras.Input(layers[0]["config"]["batch_input_shape"][1:], dtype="int32")])
    for entry in layers:
        config = entry["config"]
        options = {key: config[key] for key in OPTIONS[entry["class_name"]] if key in config}
        layer = getattr(keras.layers, entry["class_name"])(name=config["name"], **options)
        model.add(layer)
        layer.set_weights([arrays[config["name"] + "/" + weight.name] for weight in layer.weights])
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", metavar="FILE", help="write the Keras model, e.g. to model.keras")
    arguments = parser.parse_args()
    for name, array in load_weights().items():
        print(f"{name}  {array.dtype}{list(array.shape)}")
    try:
        model = load_model()
    except LookupError as error:
        raise SystemExit(str(error) if arguments.save else print(error))
    model.summary()
    if arguments.save:
        model.save(arguments.save)


if __name__ == "__main__":
    main()
`;
