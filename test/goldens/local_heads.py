"""One step of local heads on a ViT, by PyTorch in float64: local losses, gradients, and the heads after a step of Adam.

    python test/goldens/local_heads.py

The blocks are torchvision's modules. Each encoder layer but the last has a head: the mean of its tokens, normalized without
parameters, and a linear layer. What enters a layer behind a head is detached. The embedding learns with the first layer, and the
last one with the model's own head. Parameters, inputs and labels come from the formula of models.py; the heads are written down.
"""

import base64

import torch
import torchvision
from torch.nn import functional as F

from golden import write
from models import INPUTS, PARAMETERS, first_value, numbers

BATCH, SIZE, PATCH, WIDTH, LAYERS, OUTPUTS, SEED = 3, 6, 3, 8, 4, 3, 7


def packed(tensors):
    flat = torch.cat([tensor.detach().flatten() for tensor in tensors]).float().numpy()
    return base64.b64encode(flat.tobytes()).decode()


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
    torch.manual_seed(SEED)
    shapes = [(WIDTH, OUTPUTS), (OUTPUTS,)] * (LAYERS - 1)
    heads = [(0.4 * torch.randn(shape)).double().requires_grad_() for shape in shapes]
    first = packed(heads)

    tokens = torch.cat([net.class_token.expand(BATCH, -1, -1), net.conv_proj(x).flatten(2).transpose(1, 2)], 1)
    stream = tokens + net.encoder.pos_embedding
    losses = []
    for layer, weight, bias in zip(net.encoder.layers, heads[::2], heads[1::2]):
        end = layer(stream)
        losses.append(F.cross_entropy(F.layer_norm(end.mean(1), (WIDTH,)) @ weight + bias, labels))
        stream = end.detach()
    loss = F.cross_entropy(net.heads(net.encoder.ln(net.encoder.layers[-1](stream))[:, 0]), labels)
    (loss + sum(losses)).backward()
    torch.optim.Adam(heads, lr=0.003).step()

    write(
        "local-heads.golden.json",
        {
            "name": "vit", "model": "vit", "input": [1, SIZE, SIZE], "outputs": OUTPUTS, "options": options,
            "batch": BATCH, "seed": SEED, "k": 1, "parameters": list(parameters), "labels": labels.tolist(),
            "loss": loss.item(), "local": [each.item() for each in losses], "heads": first, "next": packed(heads),
            "gradient": packed([value.grad for value in parameters.values()]),
        },
    )  # fmt: skip


main()
