"""Gradients along the scales of numbers of few bits, and of what is rounded straight through, in PyTorch's autograd.

    python test/goldens/scales.py

Rounding with a scale that is trained is PyTorch's own fake quantization (LSQ, Esser et al. 2020); a scale that follows the
range of the data, blocks of 4 bits and quantized kernels are autograd's, with rounding as the identity.
"""

import json
from pathlib import Path

import torch
from golden import Random

random = Random(15)
cases = {}


def flat(value):
    return {"shape": list(value.shape), "data": value.detach().flatten().tolist()}


def add(name, given, wrt, y):
    """The sum of y times fixed numbers, and its gradients."""
    weights = torch.sin(torch.arange(y.numel(), dtype=torch.float64) * 1.3).reshape(y.shape).to(y.dtype)
    loss = (y * weights).sum()
    gradients = torch.autograd.grad(loss, [given[name] for name in wrt])
    cases[name] = {
        "inputs": {key: flat(value) for key, value in given.items()},
        "y": flat(y),
        "gradients": {key: flat(value) for key, value in zip(wrt, gradients)},
    }


def straight(x):
    return x + (torch.round(x) - x).detach()


x = random.normal(3, 4, scale=3).float().requires_grad_()
scale = torch.tensor([0.03], requires_grad=True)
point = torch.tensor([3.0])
y = torch._fake_quantize_learnable_per_tensor_affine(x, scale, point, -128, 127, 1.0)
add("tensor", {"x": x, "scale": scale}, ["x", "scale"], y)

scales = torch.tensor([0.01, 0.03, 0.05, 0.2], requires_grad=True)
points = torch.tensor([0.0, 3.0, -5.0, 1.0])
y = torch._fake_quantize_learnable_per_channel_affine(x, scales, points, 1, -128, 127, 1.0)
add("axis", {"x": x, "scale": scales, "point": points}, ["x", "scale"], y)

x = random.normal(3, 4, scale=3).requires_grad_()
scale = (x.amax().clamp(min=0) - x.amin().clamp(max=0)) / 255
add("dynamic", {"x": x}, ["x"], straight(x / scale) * scale)
x = random.normal(3, 4).abs().requires_grad_()
scale = x.amax() / 255
add("dynamicPositive", {"x": x}, ["x"], straight(x / scale) * scale)

# Three rows of 40 numbers in blocks of 16, of which the last is filled up; zero points of each block.
a = random.normal(2, 2, 40).requires_grad_()
numbers = random.integers(16, 3, 3, 16)
scales = (0.02 + 0.01 * random.normal(3, 3).abs()).requires_grad_()
points = random.integers(16, 3, 3)
matrix = ((numbers - points[..., None]) * scales[..., None]).reshape(3, 48)[:, :40]
given = {"a": a, "scale": scales, "numbers": numbers, "points": points}
add("matMulNBits", given, ["a", "scale"], a @ matrix.T)
floating = (8 + random.normal(3, 3)).requires_grad_()
matrix = ((numbers - floating[..., None]) * scales[..., None]).reshape(3, 48)[:, :40]
given = {"a": a, "scale": scales, "numbers": numbers, "points": floating}
add("floatingPoints", given, ["a", "scale", "points"], a @ matrix.T)

numbers = random.integers(16, 4, 2, 16)
scales = (0.02 + 0.01 * random.normal(4, 2).abs()).requires_grad_()
table = ((numbers - 8) * scales[..., None]).reshape(4, 32)
add("gather", {"scale": scales, "numbers": numbers}, ["scale"], table[torch.tensor([[3, 0], [1, 3]])])

# A convolution of two groups whose images and kernels are both rounded.
x = random.normal(2, 4, 5, 5).requires_grad_()
kernels = random.normal(6, 2, 3, 3).requires_grad_()
of_images = (x.amax().clamp(min=0) - x.amin().clamp(max=0)) / 255
images = straight(x / of_images)
rounded = straight(kernels / 0.02)
y = torch.nn.functional.conv2d(images, rounded, padding=1, stride=2, groups=2) * of_images * 0.02
add("convolution", {"x": x, "kernels": kernels}, ["x", "kernels"], y)

Path(__file__).with_name("scales.golden.json").write_text(json.dumps(cases) + "\n")
