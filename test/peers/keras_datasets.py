"""Prints, as one JSON object, SHA-256 hashes of what Keras and numpy make of the published files.

Usage: keras_datasets.py FOLDER
FOLDER holds imdb.npz and mnist.npz. They are given to `keras.datasets` as its own cached downloads, so
its hash check runs on them and nothing is fetched.
"""

import hashlib
import json
import os
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
folder = os.path.abspath(sys.argv[1])

with tempfile.TemporaryDirectory() as home:
    os.environ["KERAS_HOME"] = home
    os.mkdir(os.path.join(home, "datasets"))
    for name in ("imdb.npz", "mnist.npz"):
        os.symlink(os.path.join(folder, name), os.path.join(home, "datasets", name))

    import keras
    import numpy as np

    def sha256(array, dtype):
        array = np.ascontiguousarray(array, dtype=dtype)
        return hashlib.sha256(array.tobytes()).hexdigest()

    def ragged(sequences):
        """Lengths, then all values, so that two lists of lists are equal only when every list is."""
        lengths = np.array([len(s) for s in sequences], dtype="<i4")
        values = np.concatenate([np.asarray(s, dtype="<i4") for s in sequences])
        return hashlib.sha256(lengths.tobytes() + values.tobytes()).hexdigest()

    result = {"keras": keras.__version__, "numpy": np.__version__}

    for label, words, timesteps in (("all", None, None), ("10000", 10000, 500), ("137", 137, 33)):
        (x_train, y_train), (x_test, y_test) = keras.datasets.imdb.load_data(num_words=words)
        result[f"imdb/{label}/train"] = ragged(x_train)
        result[f"imdb/{label}/test"] = ragged(x_test)
        if timesteps is None:
            continue
        rows = keras.utils.pad_sequences(x_train, maxlen=timesteps)
        test_rows = keras.utils.pad_sequences(x_test, maxlen=timesteps)
        # What `fit(validation_split=0.2)` trains on and validates with.
        split = int(len(rows) * 0.8)
        result[f"imdb/{label}/{timesteps}"] = {
            "train": [sha256(rows[:split], "<i4"), sha256(y_train[:split], "u1")],
            "validation": [sha256(rows[split:], "<i4"), sha256(y_train[split:], "u1")],
            "test": [sha256(test_rows, "<i4"), sha256(y_test, "u1")],
        }

    arrays = keras.datasets.mnist.load_data()
    result["mnist"] = [sha256(a, "u1") for pair in arrays for a in pair]

    for seed in (0, 113, 4294967295):
        random = np.random.RandomState(seed)
        result[f"random/{seed}"] = [int(v) for v in random.randint(0, 2**32, 5, dtype=np.uint32)]
        random = np.random.RandomState(seed)
        shuffles = []
        for count in (1, 2, 3, 5, 624, 1000, 25000):
            order = np.arange(count)
            random.shuffle(order)
            shuffles.append(sha256(order, "<u4"))
        result[f"shuffle/{seed}"] = shuffles

print(json.dumps(result))
