"""Writes authors-step.golden.json: one step's gradients by the authors' own code, for a small network and given tangents.

Run from the repository root: python3 test/goldens/authors_step.py PATH
PATH is a checkout of Helmholtz-AI-Energy/frog at 7beb8cb (needs torch, torchvision and what it imports). Numbers are sines, which
test/authors-step.test.ts computes as well.
"""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, sys.argv[1])
from nn_training.models import FCNet  # noqa: E402
from nn_training.simfg_models import ActivityPerturbedSimFGModel  # noqa: E402

torch.set_default_dtype(torch.float64)
batch, k, sizes = 5, 4, [7, 7, 4]


def sines(count, phase, scale):
    return scale * torch.sin(torch.arange(count) * (0.7 + 0.13 * phase) + phase)


def gradients(mode):
    network = FCNet(12, 4, 7, 2)
    for index, parameter in enumerate(network.parameters()):
        parameter.data = sines(parameter.numel(), 3 * index, 0.4).view_as(parameter)
    model = ActivityPerturbedSimFGModel(network, aggregation_mode=mode)
    images = sines(batch * 12, 1, 1).view(batch, 1, 3, 4)
    loss = torch.nn.functional.cross_entropy(model(images), torch.tensor([0, 2, 1, 3, 0]))
    loss.backward()
    tangents = [torch.stack([sines(size, 2 * i**2 + 5 * site, 1) for i in range(k)]) for site, size in enumerate(sizes)]
    model.compute_gradients(tangents=tangents)
    return loss.item(), [parameter.grad.flatten().tolist() for parameter in model.parameters()]


golden = {}
for name, mode in (("mean", "mean"), ("projection", "orthogonal_projection")):
    loss, golden[name] = gradients(mode)
    golden["loss"] = loss
Path(__file__).with_name("authors-step.golden.json").write_text(json.dumps(golden) + "\n")
