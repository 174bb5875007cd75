"""Tiny models exported by PyTorch to onnx/, each with its losses, derivatives and gradients in float64 beside it.

    python test/goldens/export.py [name...]

Parameters are named and shaped as the ONNX initializers are: exporters rename them, and store the weight of a Linear
transposed when its input has three dimensions. Every file is run by onnxruntime at two batch sizes and compared with
PyTorch.
"""

import sys
from functools import partial

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from exporting import export, remove_metadata, save, single
from golden import FOLDER, Random, tensor, tensors, write

K, BATCH = 2, 4
ONNX = FOLDER / "onnx"


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1, self.layer2, self.layer3 = nn.Linear(8, 6), nn.Linear(6, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.layer3(F.gelu(self.layer2(F.relu(self.layer1(x)))))


class View(nn.Module):
    """Reshapes by x.shape, so the graph computes shapes."""

    def __init__(self):
        super().__init__()
        self.layer1, self.layer2, self.layer3 = nn.Linear(8, 6), nn.Linear(3, 4), nn.Linear(8, 3)

    def forward(self, x):
        flat = x.view(x.shape[0], x.shape[1] * x.shape[2])
        pairs = torch.tanh(self.layer1(flat)).reshape(x.shape[0], x.shape[1], 3)
        return self.layer3(torch.tanh(self.layer2(pairs)).reshape(x.size(0), -1))


class LayerNorm(nn.Module):
    """A layer normalization written by hand."""

    def __init__(self):
        super().__init__()
        self.layer1, self.layer2 = nn.Linear(8, 6), nn.Linear(6, 3)
        self.scale, self.shift = nn.Parameter(torch.ones(6)), nn.Parameter(torch.zeros(6))

    def forward(self, x):
        x = self.layer1(x)
        centered = x - x.mean(-1, keepdim=True)
        deviation = torch.sqrt(centered.pow(2).mean(-1, keepdim=True) + 1e-5)
        return self.layer2(centered / deviation * self.scale + self.shift)


class Softmax(nn.Module):
    """Two halves of a [batch, 5, 8] value, one of them a softmax that weighs the other."""

    def __init__(self):
        super().__init__()
        self.layer1, self.layer2, self.layer3 = nn.Linear(4, 8), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        scores, values = self.halves(self.layer1(x))
        return self.layer3(torch.tanh(self.layer2(torch.softmax(scores, -1) * values)).mean(1))

    def halves(self, x):
        return x.split(4, -1)


class Chunk(Softmax):
    """The same by chunk, which becomes two Slices at computed positions."""

    def halves(self, x):
        return x.chunk(2, -1)


class Tied(nn.Module):
    """One weight in two layers, each with a bias of its own."""

    def __init__(self):
        super().__init__()
        self.layer1, self.layer2, self.layer3 = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.layer2.weight = self.layer1.weight

    def forward(self, x):
        return self.layer3(torch.tanh(self.layer2(torch.tanh(self.layer1(x)))))


class Embedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.layer = nn.Embedding(10, 4), nn.Linear(4, 3)

    def forward(self, tokens):
        return self.layer(self.embedding(tokens).mean(1))


class Norms(nn.Module):
    """Four normalizations, and a dropout that does nothing in evaluation."""

    def __init__(self):
        super().__init__()
        self.layer1, self.layer2 = nn.Linear(8, 24), nn.Linear(24, 3)
        self.batch, self.group = nn.BatchNorm1d(24), nn.GroupNorm(2, 6)
        self.instance, self.norm = nn.InstanceNorm1d(6, affine=True), nn.LayerNorm(24)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        x = self.dropout(torch.tanh(self.batch(torch.tanh(self.layer1(x)))))
        channels = x.reshape(-1, 6, 4)
        mixed = self.instance(channels) + torch.tanh(self.group(channels))
        return self.layer2(self.norm(mixed.reshape(-1, 24)))


class Attention(nn.Module):
    """One causal self-attention with two heads, a residual, and a layer normalization before it."""

    def __init__(self):
        super().__init__()
        self.norm, self.queries, self.keys = nn.LayerNorm(8), nn.Linear(8, 8), nn.Linear(8, 8, bias=False)
        self.values, self.layer = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        normed = self.norm(x)
        heads = lambda value: value.unflatten(-1, (2, 4)).transpose(1, 2)
        q, k, v = heads(self.queries(normed)), heads(self.keys(normed)), heads(self.values(normed))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        return self.layer((x + mixed).mean(1))


class Lstm(nn.Module):
    """The last step of both directions of an LSTM over a short sequence."""

    def __init__(self):
        super().__init__()
        self.recurrent, self.layer = nn.LSTM(3, 4, batch_first=True, bidirectional=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.layer(self.recurrent(x)[0][:, -1])


class Gru(nn.Module):
    """The final state of a GRU."""

    def __init__(self):
        super().__init__()
        self.recurrent, self.layer = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(self.recurrent(x)[1][0])


class Choices(nn.Module):
    """Products by einsum, masked below the diagonal; running sums, the largest of them, and norms over an axis."""

    def __init__(self):
        super().__init__()
        self.layer1, self.layer2, self.layer3 = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        x = self.layer1(x)
        scores = F.hardswish(torch.einsum("bid,bjd->bij", x, x).tril())
        sums = self.layer2(torch.tanh(torch.einsum("bij,bjd->bid", scores, x) / 8)).cumsum(1)
        best, places = sums.topk(3, dim=1)
        picked = torch.gather(F.mish(x), 1, places) + best.repeat(1, 2, 1)[:, 2:5]
        norms = torch.linalg.vector_norm(picked, dim=1) + torch.logsumexp(picked, 1) + picked.amin(1) + best.prod(1)
        return self.layer3(torch.atan(norms))


def normal(*shape):
    return lambda random, batch: random.normal(batch, *shape)


def tokens(random, batch):
    return random.integers(10, batch, 5)


# file name → model, sampler of inputs, opset, whether by the exporter built on torch.export
FILES = {
    "mlp-opset13": (Mlp, normal(8), 13, False),
    "mlp-opset17": (Mlp, normal(8), 17, False),
    "mlp-dynamo18": (Mlp, normal(8), 18, True),
    "mlp-dynamo20": (Mlp, normal(8), 20, True),
    "mlp-external": (Mlp, normal(8), 17, False),
    "view-opset13": (View, normal(2, 4), 13, False),
    "view-dynamo18": (View, normal(2, 4), 18, True),
    "layernorm-opset13": (LayerNorm, normal(8), 13, False),
    "layernorm-dynamo18": (LayerNorm, normal(8), 18, True),
    "softmax-opset13": (Softmax, normal(5, 4), 13, False),
    "softmax-opset17": (Softmax, normal(5, 4), 17, False),
    "softmax-dynamo18": (Softmax, normal(5, 4), 18, True),
    "chunk-opset17": (Chunk, normal(5, 4), 17, False),
    "tied-opset17": (Tied, normal(6), 17, False),
    "tied-dynamo18": (Tied, normal(6), 18, True),
    "choices-opset17": (Choices, normal(5, 4), 17, False),
    "choices-dynamo18": (Choices, normal(5, 4), 18, True),
    "embedding-opset13": (Embedding, tokens, 13, False),
    "embedding-dynamo18": (Embedding, tokens, 18, True),
    "norms-opset13": (Norms, normal(8), 13, False),
    "norms-opset17": (Norms, normal(8), 17, False),
    "norms-dynamo21": (Norms, normal(8), 21, True),
    "lstm-opset17": (Lstm, normal(5, 3), 17, False),
    "lstm-dynamo18": (Lstm, normal(5, 3), 18, True),
    "gru-opset13": (Gru, normal(5, 3), 13, False),
    "gru-dynamo18": (Gru, normal(5, 3), 18, True),
    "attention-dynamo23": (Attention, normal(5, 8), 23, True),
}


def initialize(module, random):
    """Random parameters, of about the size that keeps activations near 1."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() == 2 and "embedding" not in name:
                parameter.copy_(random.normal(*parameter.shape, scale=1.5 / parameter.shape[1] ** 0.5))
            elif name == "scale":
                parameter.copy_(1 + random.normal(*parameter.shape, scale=0.3).float())
            else:
                parameter.copy_(random.normal(*parameter.shape, scale=1 if parameter.dim() == 2 else 0.3))
        for name, statistic in module.named_buffers():
            if statistic.is_floating_point():
                drawn = random.normal(*statistic.shape, scale=0.3)
                statistic.copy_(drawn.abs() + 0.5 if "var" in name else drawn)


def drop_even_sizes(model):
    """Before opset 18 a Split needs no sizes when its parts are equal; PyTorch writes them nevertheless."""
    for node in [node for node in model.graph.node if node.op_type == "Split"]:
        sizes = node.input.pop()
        model.graph.node.remove(next(other for other in model.graph.node if sizes in other.output))


def forms(module):
    """Ways in which initializers hold parameters: what they hold, whether transposed, and the function."""
    for name, parameter in module.named_parameters():
        yield name, False, lambda values, name=name: values[name]
        if parameter.dim() == 2:
            yield name, True, lambda values, name=name: values[name].T
    for name, layer in module.named_modules():
        if isinstance(layer, nn.RNNBase):
            gates = {"RNN_TANH": [0], "LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}[layer.mode]
            for kinds in [["weight_ih"], ["weight_hh"], ["bias_ih", "bias_hh"]]:
                yield f"{name}.{'+'.join(kinds)}", False, partial(stacked, name, layer, gates, kinds)


def stacked(name, layer, gates, kinds, values):
    """The parameters of all directions, with the gates in ONNX's order: PyTorch's gates[0], gates[1], …"""
    suffixes = ["_l0", "_l0_reverse"] if layer.bidirectional else ["_l0"]
    ordered = lambda value: value.unflatten(0, (len(gates), -1))[gates].flatten(0, 1)
    return torch.stack([
        torch.cat([ordered(values[f"{name}.{kind}{suffix}"]) for kind in kinds]) for suffix in suffixes
    ])  # fmt: skip


def origins(model, module):
    """Initializer → what it holds, whether transposed, and the function; and the float initializers that hold none."""
    found, constants, numbers = {}, [], 0
    parameters = dict(module.named_parameters())
    for initializer in model.graph.initializer:
        value = torch.from_numpy(numpy_helper.to_array(initializer).copy())
        for source, transposed, form in forms(module):
            held = form(parameters)
            if torch.equal(value.flatten(), held.flatten()):
                found[initializer.name] = (source, transposed, lambda v, f=form, s=value.shape: f(v).reshape(s))
                numbers += value.numel()
        if initializer.name not in found and value.is_floating_point():
            constants.append(initializer.name)
    expected = sum(parameter.numel() for parameter in parameters.values())
    assert numbers == expected, f"initializers hold {numbers} of {expected} numbers: {found}"
    return found, constants


def golden(name, model_class, sample, opset, dynamo):
    random = Random(sum(model_class.__name__.encode()))  # the same numbers for all files of a model
    module = model_class().eval()
    initialize(module, random)
    inputs, other = sample(random, BATCH), sample(random, 7)
    labels = random.integers(3, BATCH)
    drawn = {source: random.normal(K, *value.shape) for source, value in module.named_parameters()}

    model = export(module, {"input": single(inputs)}, "logits", opset, dynamo)
    remove_metadata(model)
    if opset < 17:
        drop_even_sizes(model)
    onnx.checker.check_model(model, full_check=True)
    found, constants = origins(model, module)
    session = onnxruntime.InferenceSession(save(ONNX, name, model, external="external" in name))
    for values in [inputs, other]:
        expected = module(single(values)).detach().numpy()
        (received,) = session.run(["logits"], {"input": single(values).numpy()})
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)

    module = module.double()
    parameters = {source: value.detach() for source, value in module.named_parameters()}
    logits = lambda values: torch.func.functional_call(module, values, (inputs,))
    losses = lambda values: F.cross_entropy(logits(values), labels, reduction="none")
    along = [{source: tangent[i] for source, tangent in drawn.items()} for i in range(K)]
    # Forward mode knows only this way of computing attention.
    with sdpa_kernel(SDPBackend.MATH):
        derivatives = torch.stack([torch.func.jvp(losses, (parameters,), (tangent,))[1] for tangent in along])
    gradients = torch.func.grad(lambda values: losses(values).mean())(parameters)
    stored = lambda values: {name: form(values) for name, (_, _, form) in found.items()}
    tangents = [stored(tangent) for tangent in along]
    return {
        "opset": opset,
        "input": "input",
        "output": "logits",
        "origins": {name: {"source": source, "transposed": flag} for name, (source, flag, _) in found.items()},
        "constants": constants,
        "inputs": tensor(inputs),
        "labels": tensor(labels),
        "outputs": tensor(logits(parameters)),
        "loss": losses(parameters).mean().item(),
        "losses": tensor(losses(parameters)),
        "k": K,
        "weightTangents": tensors({name: torch.stack([tangent[name] for tangent in tangents]) for name in found}),
        "weightDerivatives": tensor(derivatives.mean(1)),
        "weightDerivativesPerExample": tensor(derivatives),
        "gradients": tensors(stored(gradients)),
    }


ONNX.mkdir(exist_ok=True)
for name in sys.argv[1:] or FILES:
    write(f"onnx/{name}.golden.json", golden(name, *FILES[name]))
