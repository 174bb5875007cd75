"""Values and gradients of the test functions by PyTorch in float64, from their formulas in the literature.

    python test/goldens/functions.py

Points are random, and a few are where a function has ties or kinks; gradients are PyTorch's own there.
"""

import math

import torch

from golden import Random, float32, write


def styblinski_tang(x):
    return 0.5 * (x**4 - 16 * x**2 + 5 * x).sum()


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def beale(x):
    a, b = x
    return sum((c - a + a * b**p) ** 2 for p, c in enumerate((1.5, 2.25, 2.625), start=1))


def ackley(x):
    wide = -20 * torch.exp(-0.2 * torch.sqrt((x**2).mean()))
    return wide - torch.exp(torch.cos(2 * math.pi * x).mean()) + 20 + math.e


def forest(x):
    return x.abs().sum() * torch.exp(-torch.sin(x**2).sum())


def goldstein_price(x):
    a, b = x
    left = 1 + (a + b + 1) ** 2 * (19 - 14 * a + 3 * a**2 - 14 * b + 6 * a * b + 3 * b**2)
    right = 30 + (2 * a - 3 * b) ** 2 * (18 - 32 * a + 12 * a**2 + 48 * b - 36 * a * b + 27 * b**2)
    return left * right


def levy_montalvo(x):
    y = 1 + (x - 1) / 4
    first = 10 * torch.sin(math.pi * y[0]) ** 2
    middle = ((y[:-1] - 1) ** 2 * (1 + 10 * torch.sin(math.pi * y[1:]) ** 2)).sum()
    return math.pi / 2 * (first + middle + (y[-1] - 1) ** 2)


def three_hump_camel(x):
    a, b = x
    return 2 * a**2 - 1.05 * a**4 + a**6 / 6 + a * b + b**2


FUNCTIONS = {
    "sphere": (lambda x: (x**2).sum(), (1, 5), 2),
    "rosenbrock": (rosenbrock, (2, 3, 7), 2),
    "styblinski-tang": (styblinski_tang, (1, 6), 3),
    "beale": (beale, (2,), 2),
    "plane": (lambda x: -x.sum(), (2, 3), 2),
    "egg-crate": (lambda x: (x**2).sum() + 25 * (torch.sin(x) ** 2).sum(), (2,), 4),
    "ackley": (ackley, (2,), 8),
    "forest": (forest, (2,), 3),
    "goldstein-price": (goldstein_price, (2,), 1),
    "levy-montalvo": (levy_montalvo, (2,), 6),
    "three-hump-camel": (three_hump_camel, (2,), 3),
}

# The first kink has one coordinate on an axis, the second both.
SINGULAR = {"forest": ([0.0, 1.5], [0.0, 0.0])}


def cases():
    for seed, (name, (function, dimensions, scale)) in enumerate(FUNCTIONS.items()):
        random = Random(seed)
        points = [random.normal(n, scale=scale) for n in dimensions for _ in range(4)]
        points += [float32(point) for point in SINGULAR.get(name, ())]
        for point in points:
            x = point.clone().requires_grad_()
            value = function(x)
            value.backward()
            yield {"name": name, "x": x.tolist(), "value": value.item(), "gradient": x.grad.tolist()}


if __name__ == "__main__":
    write("functions.golden.json", list(cases()))
