"""Trajectories of PyTorch's optimizers, learning-rate schedules and gradient clipping in float64.

    python test/goldens/optimizers.py

The gradients are given, not computed from the parameters, so that a wrong step shows in the step where it is made.
"""

import torch
from torch.optim import SGD, Adam, AdamW, lr_scheduler

from golden import Random, tensors, write

STEPS = 12
SHAPES = {"a": (3, 2), "b": (2,)}

CASES = [
    ("sgd", SGD, {}, {}),
    ("sgd", SGD, {"momentum": 0.9}, {"momentum": 0.9}),
    ("sgd", SGD, {"momentum": 0.8, "nesterov": True}, {"momentum": 0.8, "nesterov": True}),
    ("sgd", SGD, {"weightDecay": 0.1}, {"weight_decay": 0.1}),
    (
        "sgd",
        SGD,
        {"momentum": 0.9, "nesterov": True, "weightDecay": 0.05},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
    ),
    ("adam", Adam, {}, {}),
    ("adam", Adam, {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3}, {"betas": (0.5, 0.9), "eps": 1e-3}),
    ("adam", Adam, {"weightDecay": 0.1}, {"weight_decay": 0.1}),
    ("adamw", AdamW, {}, {}),
    ("adamw", AdamW, {"beta1": 0.8, "weightDecay": 0.2}, {"betas": (0.8, 0.999), "weight_decay": 0.2}),
]


def trajectory(seed, name, kind, options, own_options):
    random = Random(seed)
    parameters = {key: random.normal(*shape).requires_grad_() for key, shape in SHAPES.items()}
    start = tensors(parameters)
    rate = 0.05
    optimizer = kind(parameters.values(), lr=rate, **own_options)
    gradients, values = [], []
    for step in range(STEPS):
        # The learning rate changes on the way, as under a schedule.
        optimizer.param_groups[0]["lr"] = rate / (1 + step / 4)
        drawn = {key: random.normal(*shape) for key, shape in SHAPES.items()}
        for key, parameter in parameters.items():
            parameter.grad = drawn[key].clone()
        optimizer.step()
        gradients.append(tensors(drawn))
        values.append(tensors(parameters))
    return {
        "kind": "optimizer",
        "name": name,
        "options": options,
        "rate": rate,
        "start": start,
        "gradients": gradients,
        "values": values,
    }


def clipping(seed, limit):
    random = Random(seed)
    parameters = {key: random.normal(*shape).requires_grad_() for key, shape in SHAPES.items()}
    gradients = {key: random.normal(*shape) for key, shape in SHAPES.items()}
    for key, parameter in parameters.items():
        parameter.grad = gradients[key].clone()
    length = torch.nn.utils.clip_grad_norm_(parameters.values(), limit)
    return {
        "kind": "clip",
        "limit": limit,
        "length": length.item(),
        "gradients": tensors(gradients),
        "clipped": tensors({key: parameter.grad for key, parameter in parameters.items()}),
    }


def schedule(name, options, make, total=20, losses=None):
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = SGD([parameter], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for step in range(total):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([] if losses is None else [losses[step]]))
    return {"kind": "schedule", "name": name, "options": options, "factors": factors, "losses": losses or []}


def entries():
    for seed, case in enumerate(CASES):
        yield trajectory(seed, *case)
    yield clipping(50, 0.5)
    yield clipping(51, 100.0)
    yield schedule("cosine", {}, lambda own: lr_scheduler.CosineAnnealingLR(own, T_max=20))
    yield schedule("linear", {}, lambda own: lr_scheduler.LinearLR(own, 1.0, 0.0, total_iters=20))
    yield schedule("step", {"decay": 0.3, "decayEvery": 6}, lambda own: lr_scheduler.StepLR(own, 6, gamma=0.3))
    yield schedule("exponential", {"decay": 0.9}, lambda own: lr_scheduler.ExponentialLR(own, gamma=0.9))
    losses = [3, 2.5, 2.6, 2.5, 2.4999, 2.49, 2.6, 2.7, 2.8, 2.9, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.5, 1.5, 1.5]
    for patience in (0, 2):
        yield schedule(
            "plateau",
            {"decay": 0.5, "plateauPatience": patience},
            lambda own: lr_scheduler.ReduceLROnPlateau(own, factor=0.5, patience=patience),
            losses=[float(loss) for loss in losses],
        )


write("optimizers.golden.json", list(entries()))
