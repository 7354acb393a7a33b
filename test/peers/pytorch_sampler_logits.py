"""python pytorch_sampler_logits.py FOLDER LAYERS UNITS OUTPUT_UNITS PICTURES GIVEN_ROWS

Completes the pictures in FOLDER/pictures with the weights in FOLDER/weights and the thresholds in
FOLDER/thresholds (float32 each), and writes FOLDER/completed and FOLDER/logits of the drawn pixels.
"""
import os
import sys

import numpy

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "worker", "benchmarks", "peers"))

import pytorch_sampler
import torch

folder = sys.argv[1]
layers, units, output_units, count, given = map(int, sys.argv[2:])


def read(name, *shape):
    numbers = numpy.fromfile(os.path.join(folder, name), "<f4")
    return torch.from_numpy(numbers).reshape(shape)


weights = pytorch_sampler.read_weights(
    os.path.join(folder, "weights"), layers, units, output_units
)
logits = torch.empty(28 - given, 28, count)
completed = pytorch_sampler.Sampler(weights, count).complete(
    read("pictures", count, 28, 28), given, read("thresholds", 28 - given, 28, count), logits
)
for name, values in (("completed", completed), ("logits", logits)):
    values.numpy().astype("<f4").tofile(os.path.join(folder, name))
