"""A peer's half of the benchmark's protocol (worker/benchmarks/protocol.ts), JSON a line each.

The peer speaks first: {"versions": {...}}, or {"missing": "why"} where it cannot take part. Then it
answers {"do": "prepare", "workload": {...}, "threads": n} and {"do": "run", "warm": n, "steps": n}.
It ends when standard input does.
"""
import json
import os
import signal
import sys
import time
import traceback

# What libraries print must not come between the answers.
_answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
# Ctrl-C reaches the whole process group; the harness ends us.
signal.signal(signal.SIGINT, signal.SIG_IGN)


def _say(message):
    _answers.write(json.dumps(message) + "\n")
    _answers.flush()


def serve(load, prepare):
    """load() imports the library and gives versions by program; it raises ImportError where that is
    not installed. prepare(workload, threads) gives (step, note): a function that runs one step until
    its result is there, and how it was prepared, or None.
    """
    try:
        versions = load()
    except ImportError as error:
        _say({"missing": f"{sys.executable} has no {error.name}"})
        return
    _say({"versions": {"python": sys.version.split()[0], **versions}})
    step = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                step, note = prepare(request["workload"], request["threads"])
                _say({} if note is None else {"note": note})
            else:
                _say(time_steps(step, request["warm"], request["steps"]))
        except Exception:  # The harness tells it and goes on with the others.
            _say({"error": traceback.format_exc()})


def time_steps(step, warm, steps):
    for _ in range(warm):
        step()
    wall = []
    before = time.process_time()
    for _ in range(steps):
        start = time.perf_counter()
        step()
        wall.append(1000 * (time.perf_counter() - start))
    return {"wall": wall, "processor": 1000 * (time.process_time() - before)}


def median_step(step, warm, steps):
    wall = sorted(time_steps(step, warm, steps)["wall"])
    return wall[len(wall) // 2]


def reviews(workload):
    """Tokens int32 [batches, batch, timesteps] and labels int32 [batches, batch]."""
    import numpy

    batches, batch, timesteps = (workload[key] for key in ("batches", "batch", "timesteps"))
    numbers = numpy.fromfile(workload["inputs"], "<i4")
    count = batches * batch * timesteps
    return (
        numbers[:count].reshape(batches, batch, timesteps),
        numbers[count:].reshape(batches, batch),
    )


def pictures(workload):
    """Pixels uint8 0 or 1, [batches, batch, 28, 28]."""
    import numpy

    shape = (workload["batches"], workload["batch"], 28, 28)
    return numpy.fromfile(workload["inputs"], "u1").reshape(shape)
