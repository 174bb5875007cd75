"""What the Python peers share: the problem, and how they talk to the driver.

A peer is started with one JSON argument {"peer", "estimator", "width", "batch", "tangents", "threads"}. It prints a line
{"ready": true, "version", "derivativeError"} (derivativeError: largest |d_i - grad f . v_i| over the largest |d_i|, checked
on one step), then answers each line {"steps": N} with {"milliseconds": [...]}, one number a step, until its input ends.
"""
import json
import math
import os
import signal
import sys
import time

config = json.loads(sys.argv[1])
# Ctrl-C is the driver's to handle; it closes our input.
signal.signal(signal.SIGINT, signal.SIG_IGN)
if config["threads"] == 1:
    # Before any library counts the cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import numpy

sizes = [784, config["width"], config["width"], 10]
batch, k = config["batch"], config["tangents"]
learning_rate = 1e-7
_random = numpy.random.default_rng(7)
inputs = _random.uniform(-0.5, 0.5, (batch, sizes[0])).astype("float32")
labels = (numpy.arange(batch) % 10).astype("int64")


def initial_layers():
    """[(weight [out, in], bias [out])], uniform in 1/sqrt(in)."""
    layers = []
    for columns, rows in zip(sizes, sizes[1:]):
        bound = 1 / math.sqrt(columns)
        uniform = lambda *shape: _random.uniform(-bound, bound, shape).astype("float32")
        layers.append((uniform(rows, columns), uniform(rows)))
    return layers


def relative_error(derivatives, expected):
    """Largest difference over the largest expected value."""
    derivatives, expected = (numpy.asarray(value, dtype="float64") for value in (derivatives, expected))
    return float(numpy.abs(derivatives - expected).max() / numpy.abs(expected).max())


def serve(step, version, derivative_error):
    """Answers the driver; `step()` ends when its results are there."""
    step()
    print(json.dumps({"ready": True, "version": version, "derivativeError": derivative_error}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(json.loads(line)["steps"]):
            start = time.perf_counter()
            step()
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps({"milliseconds": times}), flush=True)
