"""Trains a network on MNIST in PyTorch, by exact gradients or the paper authors' code, as this library trains it.

Started with one JSON argument {"method": "exact" | "frog", "model": "mlp" | "lenet5", "folder",
"steps", "batch", "tangents", "rate", "seed", "threads", "validation": number of examples set aside}. Prints one line
{"version", "secondsPerStep", "diverged", "validationAccuracy", "testAccuracy"}. Model, first values (PyTorch's own), batches of
whole epochs in random order, schedule (half a cosine) and what counts as a step's time (all but the first ten steps and
evaluation) are those of this library's `train`.
"""
import gzip
import json
import math
import os
import signal
import sys
import time

config = json.loads(sys.argv[1])
# Ctrl-C is the driver's to handle.
signal.signal(signal.SIGINT, signal.SIG_IGN)

if config["method"] == "frog":
    import frog_checkout
import numpy
import torch
import torch.autograd.forward_ad as fwAD
import torch.nn.functional as F
from torch import nn

untimed_steps = 10


def idx(name):
    """The bytes of a file of MNIST, packed or not, without their header."""
    path = os.path.join(config["folder"], name)
    with gzip.open(f"{path}.gz") if os.path.exists(f"{path}.gz") else open(path, "rb") as file:
        data = file.read()
    dimensions = data[3]
    shape = [int.from_bytes(data[4 + 4 * place:8 + 4 * place], "big") for place in range(dimensions)]
    return torch.from_numpy(numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * dimensions).reshape(shape).copy())


def examples(part):
    return idx(f"{part}-images-idx3-ubyte")[:, None], idx(f"{part}-labels-idx1-ubyte").long()


def normalized(images):
    return (images.float() / 255 - 0.1307) / 0.3081


class Network(nn.Module):
    """Blocks in `layers`, as the authors' code expects them."""

    def __init__(self, *blocks):
        super().__init__()
        self.layers = nn.Sequential(*blocks)
        self.model_config = {}

    def forward(self, x):
        return self.layers(x)


def mlp():
    return Network(
        nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU()),
        nn.Sequential(nn.Linear(256, 256), nn.ReLU()),
        nn.Linear(256, 10))


def lenet5():
    return Network(
        nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Flatten(), nn.Linear(400, 120), nn.ReLU()),
        nn.Sequential(nn.Linear(120, 84), nn.ReLU()),
        nn.Linear(84, 10))


def frog(network):
    """The network in the authors' estimator: projection on normal tangents of the weights."""
    from nn_training.fg_models import WeightPerturbedForwardGradientModel
    return WeightPerturbedForwardGradientModel(
        network, aggregation_mode="orthogonal_projection", tangent_sampler="normal", seed=config["seed"] + 1)


def exact_step(x, y):
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    return loss


def frog_step(x, y):
    """The body of their training loop (nn_training/train.py, train_epoch_forward_gradient)."""
    tangents = model.create_tangents(config["tangents"])
    derivatives = []
    for i in range(config["tangents"]):
        with fwAD.dual_level():
            model.set_tangent(tangents, i)
            loss = fwAD.unpack_dual(F.cross_entropy(model(x), y))
            derivatives.append(loss.tangent)
    model.compute_gradients(torch.stack(derivatives), tangents)
    return loss.primal


def accuracy(images, labels):
    if hasattr(model, "sync_weights"):
        model.sync_weights()
    with torch.no_grad():
        pieces = zip(images.split(1000), labels.split(1000))
        correct = sum(int((model(normalized(x)).argmax(1) == y).sum()) for x, y in pieces)
    return correct / len(labels)


torch.set_num_threads(config["threads"])
torch.manual_seed(config["seed"])
images, labels = examples("train")
split = torch.randperm(len(labels))
held, kept = split[:config["validation"]], split[config["validation"]:]
network = {"mlp": mlp, "lenet5": lenet5}[config["model"]]()
model, step = (frog(network), frog_step) if config["method"] == "frog" else (network, exact_step)
optimizer = torch.optim.SGD(model.parameters(), lr=config["rate"])
model.train()

batch, steps = config["batch"], config["steps"]
order, place, spent, diverged = kept[:0], 0, 0.0, False
for count in range(steps):
    if place + batch > len(order):
        order, place = kept[torch.randperm(len(kept))], 0
    start = time.perf_counter()
    here = order[place:place + batch]
    place += batch
    optimizer.param_groups[0]["lr"] = config["rate"] * 0.5 * (1 + math.cos(math.pi * count / steps))
    optimizer.zero_grad()
    diverged = not math.isfinite(step(normalized(images[here]), labels[here]).item())
    optimizer.step()
    if count >= untimed_steps:
        spent += time.perf_counter() - start
    if diverged:
        break

result = {"version": f"PyTorch {torch.__version__}", "diverged": diverged}
if steps > untimed_steps and not diverged:
    result["secondsPerStep"] = spent / (steps - untimed_steps)
if config["validation"] and not diverged:
    result["validationAccuracy"] = accuracy(images[held], labels[held])
    result["testAccuracy"] = accuracy(*examples("t10k"))
print(json.dumps(result))
