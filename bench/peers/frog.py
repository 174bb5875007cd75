"""A step of the paper authors' code (github.com/Helmholtz-AI-Energy/frog) in true forward mode.

The body of their training loop (nn_training/train.py, train_epoch_forward_gradient) on their own model and estimator classes,
without progress output, timers, statistics and a learning rate schedule.
"""
import frog_checkout

from problem import *

import torch
import torch.autograd.forward_ad as fwAD
import torch.nn.functional as F

from nn_training.fg_models import WeightPerturbedForwardGradientModel
from nn_training.models import FCNet

torch.set_num_threads(config["threads"])
x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
network = FCNet(sizes[0], sizes[-1], config["width"], 2)
model = WeightPerturbedForwardGradientModel(
    network, aggregation_mode="orthogonal_projection", tangent_sampler="normal", seed=1)
optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
model.train()


def step():
    optimizer.zero_grad()
    tangents = model.create_tangents(k)
    derivatives = []
    for i in range(k):
        with fwAD.dual_level():
            model.set_tangent(tangents, i)
            derivatives.append(fwAD.unpack_dual(F.cross_entropy(model(x), y)).tangent)
    model.compute_gradients(torch.stack(derivatives), tangents)
    optimizer.step()
    return torch.stack(derivatives), tangents


def check():
    leaves = {name: value.clone().requires_grad_() for name, value in model.actual_parameters.items()}
    value = x
    weights = list(leaves.values())
    for place in range(0, len(weights), 2):
        value = F.linear(value, weights[place], weights[place + 1])
        value = F.relu(value) if place + 2 < len(weights) else value
    gradients = dict(zip(leaves, torch.autograd.grad(F.cross_entropy(value, y), weights)))
    derivatives, tangents = step()
    return relative_error(derivatives, sum((tangents[n] * gradients[n]).flatten(1).sum(1) for n in tangents))


serve(step, f"PyTorch {torch.__version__}", check())
