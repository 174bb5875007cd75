"""Gradients of a ViT's blocks when each is passed the gradient at the last block's input unchanged, by PyTorch in float64.

    python test/goldens/residual.py

The blocks are torchvision's modules. What enters each is detached, so that autograd crosses none of their borders but the
last: from the loss through the last encoder layer and the head, to its input. The gradient there goes into the ends of
all blocks before. Parameters, inputs and labels come from the formula of models.py.
"""

import base64

import torch
import torchvision
from torch.nn import functional as F

from golden import write
from models import INPUTS, PARAMETERS, first_value, numbers

BATCH, SIZE, PATCH, WIDTH, LAYERS, OUTPUTS, SEED = 3, 6, 3, 8, 4, 3, 7


def main():
    options = dict(patch=PATCH, layers=LAYERS, heads=2, width=WIDTH, mlp=12)
    net = torchvision.models.VisionTransformer(SIZE, PATCH, LAYERS, 2, WIDTH, 12, num_classes=OUTPUTS).double()
    # One channel instead of three.
    net.conv_proj = torch.nn.Conv2d(1, WIDTH, PATCH, PATCH).double()
    parameters = dict(net.named_parameters())
    with torch.no_grad():
        for index, (name, value) in enumerate(parameters.items()):
            value.copy_(numbers(PARAMETERS + index, value.shape, *first_value(name, value.shape)))
    x = numbers(INPUTS + SEED, [BATCH, 1, SIZE, SIZE], 0.5, 0.5)
    labels = torch.tensor([0, 2, 1])

    tokens = torch.cat([net.class_token.expand(BATCH, -1, -1), net.conv_proj(x).flatten(2).transpose(1, 2)], 1)
    ends = [tokens + net.encoder.pos_embedding]
    for layer in list(net.encoder.layers)[:-1]:
        ends.append(layer(ends[-1].detach()))
    entrance = ends[-1].detach().requires_grad_()
    logits = net.heads(net.encoder.ln(net.encoder.layers[-1](entrance))[:, 0])
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    for end in ends:
        end.backward(entrance.grad)

    gradient = torch.cat([value.grad.flatten() for value in parameters.values()]).float().numpy()
    write(
        "residual.golden.json",
        {
            "name": "vit", "model": "vit", "input": [1, SIZE, SIZE], "outputs": OUTPUTS, "options": options,
            "batch": BATCH, "seed": SEED, "k": 1, "parameters": list(parameters), "labels": labels.tolist(),
            "loss": loss.item(), "gradient": base64.b64encode(gradient.tobytes()).decode(),
        },
    )  # fmt: skip


main()
