"""Losses, directional derivatives and gradients of a 6-5-4-3 MLP by PyTorch in float64, one entry a case.

    python test/goldens/mlp.py

Linear, activation, Linear, activation, Linear on a batch of 4 with k = 3 tangents. ℓ_b is example b's own loss and the
loss is the mean of all ℓ_b; derivatives per example are those of ℓ_b. The activation tangents are added to
the outputs of the Linears, all at once: the tangent there is what arrives from earlier sites plus the injected one.
"""

import torch
from torch.nn import functional as F

from golden import Random, float32, tensor, tensors, write

K, BATCH, SIZES, LAYERS = 3, 4, [6, 5, 4, 3], ["layer1", "layer2", "layer3"]
ALPHA = float(float32(0.01))  # ONNX stores it in float32

ACTIVATIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "leakyRelu": lambda x: F.leaky_relu(x, ALPHA),
    "elu": F.elu,
    "softplus": lambda x: F.softplus(x, threshold=700),
    "gelu": F.gelu,
    "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
    "none": lambda x: x,
}


def cross_entropy(logits, labels, smoothing=0.0):
    """ℓ_b, weighted so that their mean is PyTorch's over the examples that are not labelled -100."""
    each = F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    losses = each * len(labels) / (labels != -100).sum()
    torch.testing.assert_close(losses.mean(), F.cross_entropy(logits, labels, label_smoothing=smoothing))
    return losses


def mean_squared_error(prediction, target):
    return F.mse_loss(prediction, target, reduction="none").mean(1)


def binary_cross_entropy(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)


def pre_activations(activation, parameters, inputs, injected):
    """The outputs of the Linears, each with its injection added."""
    values, sites = inputs, {}
    for layer in LAYERS:
        if sites:
            values = ACTIVATIONS[activation](values)
        linear = F.linear(values, parameters[f"{layer}.weight"], parameters[f"{layer}.bias"])
        values = sites[layer] = linear + injected[layer]
    return sites


def along(function, primals, tangents):
    """The derivatives of the function along each tangent, stacked."""
    each = [{name: tangent[i] for name, tangent in tangents.items()} for i in range(K)]
    return torch.stack([torch.func.jvp(function, (primals,), (tangent,))[1] for tangent in each])


def entry(name, seed, activation, loss_kind, loss, expected, **options):
    random = Random(seed)
    inputs = random.normal(BATCH, SIZES[0])
    parameters = {}
    for layer, columns, rows in zip(LAYERS, SIZES, SIZES[1:]):
        parameters[f"{layer}.weight"] = random.normal(rows, columns, scale=1.5 / columns**0.5)
        parameters[f"{layer}.bias"] = random.normal(rows, scale=0.3)
    none = {layer: torch.zeros(BATCH, rows).double() for layer, rows in zip(LAYERS, SIZES[1:])}
    weight_tangents = {name: random.normal(K, *value.shape) for name, value in parameters.items()}
    activation_tangents = {layer: random.normal(K, *value.shape) for layer, value in none.items()}

    def losses(parameters, injected=none):
        return loss(pre_activations(activation, parameters, inputs, injected)["layer3"], expected)

    sites = pre_activations(activation, parameters, inputs, none)
    for layer in LAYERS[:2]:
        assert sites[layer].abs().min() > 1e-3, f"{name}: a pre-activation of {layer} is too close to a kink"
    per_example = along(losses, parameters, weight_tangents)
    gradients = torch.func.grad(lambda values: losses(values).mean())(parameters)
    slopes = sum((weight_tangents[name].flatten(1) @ gradients[name].flatten() for name in parameters))
    torch.testing.assert_close(slopes, per_example.mean(1))
    return {
        "name": name,
        "activation": activation,
        "loss_kind": loss_kind,
        **options,
        "sizes": SIZES,
        "inputs": tensor(inputs),
        "target" if expected.is_floating_point() else "labels": tensor(expected),
        "parameters": tensors(parameters),
        "outputs": tensor(sites["layer3"]),
        "loss": losses(parameters).mean().item(),
        "losses": tensor(losses(parameters)),
        "k": K,
        "weightTangents": tensors(weight_tangents),
        "weightDerivatives": tensor(per_example.mean(1)),
        "weightDerivativesPerExample": tensor(per_example),
        "activationTangents": tensors(activation_tangents),
        "activationDerivatives": tensor(along(lambda x: losses(parameters, x), none, activation_tangents)),
        "gradients": tensors(gradients),
    }


def entries():
    labels = torch.tensor([2, 0, 1, 2])
    for seed, activation in enumerate(ACTIVATIONS):
        yield entry(activation, seed, activation, "cross-entropy", cross_entropy, labels, smoothing=0)
    target = Random(100).normal(BATCH, SIZES[-1])
    soft = float32([[0, 1, 0.3], [1, 1, 0], [0.9, 0, 0], [0, 0.5, 1]])
    smoothed = lambda logits, labels: cross_entropy(logits, labels, 0.1)
    ignored = torch.tensor([2, -100, 1, 0])
    tanh = lambda name, seed, *loss, **options: entry(name, seed, "tanh", *loss, **options)
    yield tanh("mean-squared-error", 101, "mean-squared-error", mean_squared_error, target)
    yield tanh("binary-cross-entropy", 102, "binary-cross-entropy", binary_cross_entropy, soft)
    yield tanh("label smoothing", 103, "cross-entropy", smoothed, labels, smoothing=0.1)
    yield tanh("ignored label", 104, "cross-entropy", cross_entropy, ignored, smoothing=0)


write("mlp.golden.json", list(entries()))
