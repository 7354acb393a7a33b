"""PyTorch, eager: torch.nn's recurrent layers, whose sequences run in its own fused CPU code.

Gradients that vanish through hundreds of timesteps become denormal numbers, which processors handle
slowly. TensorFlow takes them for zero; so does this peer, unless it is started with --default.
"""
import itertools
import sys

import peer


def load():
    import torch

    return {"torch": torch.__version__}


def prepare(workload, threads):
    import torch

    # Before there are other threads, which inherit it.
    torch.set_flush_denormal("--default" not in sys.argv)
    torch.set_num_threads(threads)
    prepared = {"sentiment": sentiment, "completion": completion}
    if workload["kind"] not in prepared:
        raise ValueError(f"There is no {workload['kind']} here.")
    return prepared[workload["kind"]](workload), None


def sentiment(workload):
    import torch

    layer = {"SimpleRNN": "RNN"}.get(workload["layer"], workload["layer"])
    embedding = torch.nn.Embedding(workload["vocabulary"], workload["embeddingUnits"])
    recurrent = getattr(torch.nn, layer)(
        workload["embeddingUnits"], workload["units"], workload["layers"], batch_first=False
    )
    dense = torch.nn.Linear(workload["units"], 1)
    model = torch.nn.ModuleList([embedding, recurrent, dense])
    # Keras' defaults; torch's own foreach loop is its fastest on a CPU.
    optimizer = torch.optim.RMSprop(
        model.parameters(), workload["learningRate"], alpha=0.9, eps=1e-7, foreach=True
    )
    tokens, labels = peer.reviews(workload)
    # Time-major is the layout that torch.nn computes in.
    batches = itertools.cycle(
        [
            (torch.from_numpy(x.T.copy()).long(), torch.from_numpy(y).float()[:, None])
            for x, y in zip(tokens, labels)
        ]
    )

    def step():
        x, y = next(batches)
        optimizer.zero_grad(set_to_none=True)
        states, _ = recurrent(embedding(x))
        logits = dense(states[-1])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
        accuracy = ((logits > 0) == (y > 0.5)).float().mean()
        loss.backward()
        optimizer.step()
        return loss.item(), accuracy.item()

    return step


def completion(workload):
    import numpy
    import torch

    import pytorch_sampler

    network = (workload["layers"], workload["units"], workload["outputUnits"])
    count, given = workload["pictures"], workload["givenRows"]
    sampler = pytorch_sampler.Sampler(pytorch_sampler.random_weights(*network), count)
    pixels = numpy.fromfile(workload["inputs"], "u1").reshape(count, 28, 28)
    pictures = torch.from_numpy(pixels).float()

    def step():
        drawn = torch.rand(28 - given, 28, count)
        sampler.complete(pictures.clone(), given, torch.logit(drawn))

    return step


if __name__ == "__main__":
    peer.serve(load, prepare)
