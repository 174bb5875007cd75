"""Directional derivatives of normalizations, losses, attention and recurrent layers by PyTorch in float64.

    python test/goldens/composite.py

As in ops.py, they are the reverse-mode Jacobian times the tangent. PyTorch has no forward mode for some of these.
"""

from dataclasses import dataclass, field
from typing import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ops
from golden import Random, float32, tensor, write


class Coarse(Random):
    """Normal numbers in 64ths, which take few digits."""

    def normal(self, *shape, scale=1.0):
        return torch.round(super().normal(*shape, scale=scale) * 64) / 64


@dataclass
class Composite:
    name: str
    op: str
    function: Callable[..., Tensor]
    """Of the inputs that have tangents."""
    inputs: list
    """Float64 tensors have tangents; integers, truth values and Fixed ones are constants; None is an omitted input."""
    attributes: dict = field(default_factory=dict)
    outputs: int = 1
    result: int = 0
    """The output that is compared."""


@dataclass
class Fixed:
    value: Tensor


def is_moved(value):
    return isinstance(value, Tensor) and value.dtype == torch.float64


def normalizations(random):
    x, scale, bias = random.normal(3, 4, 2), random.normal(4), random.normal(4)
    mean, variance = random.normal(4), random.normal(4).abs() + 0.5
    epsilon = float(float32(1e-5))
    frozen = lambda x, s, b, m, v: (x - m[:, None]) / torch.sqrt(v[:, None] + epsilon) * s[:, None] + b[:, None]
    batch = lambda x, s, b: F.batch_norm(x, None, None, s, b, training=True, eps=epsilon)
    given = [x, scale, bias, mean, variance]
    yield Composite("batchNormalization", "BatchNormalization", frozen, given)
    yield Composite(
        "batchNormalization in training", "BatchNormalization", batch,
        [x, scale, bias, Fixed(mean), Fixed(variance)], {"training_mode": 1}, 3,
    )  # fmt: skip
    momentum = float(float32(0.9))
    keep = lambda old, new: momentum * old + (1 - momentum) * new
    for result, running in enumerate([
        lambda x, _, __, m, v: keep(m, x.mean((0, 2))),
        lambda x, _, __, m, v: keep(v, x.var((0, 2), correction=0)),
    ]):  # fmt: skip
        name = f"batchNormalization's running {['mean', 'variance'][result]}"
        yield Composite(name, "BatchNormalization", running, given, {"training_mode": 1}, 3, result + 1)
    layer = lambda x, s, b: F.layer_norm(x, s.shape, s, b, epsilon)
    yield Composite("layerNormalization", "LayerNormalization", layer, [x, random.normal(2), random.normal(2)])
    wide = [x, random.normal(4, 2), random.normal(4, 2)]
    yield Composite("layerNormalization over two axes", "LayerNormalization", layer, wide, {"axis": 1})
    rms = lambda x, s: F.rms_norm(x, s.shape, s, epsilon)
    yield Composite("rmsNormalization", "RMSNormalization", rms, [x, random.normal(4, 2)], {"axis": -2})
    group = lambda x, s, b: F.group_norm(x, 2, s, b, epsilon)
    yield Composite("groupNormalization", "GroupNormalization", group, [x, scale, bias], {"num_groups": 2})
    instance = lambda x, s, b: F.instance_norm(x, weight=s, bias=b, eps=epsilon)
    yield Composite("instanceNormalization", "InstanceNormalization", instance, [x, scale, bias])
    yield Composite("lpNormalization 1", "LpNormalization", lambda x: F.normalize(x, 1, 1), [x], {"p": 1, "axis": 1})
    yield Composite("lpNormalization 2", "LpNormalization", lambda x: F.normalize(x, 2, -1), [x])
    alpha, beta = float(float32(0.3)), float(float32(0.75))
    response = lambda x: F.local_response_norm(x, 3, alpha, beta, 1.5)
    images = random.normal(2, 5, 2, 1)
    yield Composite("lrn", "LRN", response, [images], {"size": 3, "alpha": alpha, "beta": beta, "bias": 1.5})


def losses(random):
    x, weights = random.normal(3, 4, 2, scale=2), random.normal(4).abs() + 0.5
    labels = torch.tensor([[0, 3], [2, 1], [1, 1]])
    some = torch.tensor([[0, -7], [2, 1], [-7, 1]])
    for reduction in ["none", "sum", "mean"]:
        plain = lambda x, r=reduction: F.cross_entropy(x, labels, reduction=r)
        weighted = lambda x, r=reduction: F.cross_entropy(x, some, weights, ignore_index=-7, reduction=r)
        likelihood = lambda x, r=reduction: F.nll_loss(x, labels, weights, ignore_index=1, reduction=r)
        chosen = {"reduction": reduction}
        yield Composite(f"crossEntropy {reduction}", "SoftmaxCrossEntropyLoss", plain, [x, labels], chosen)
        yield Composite(
            f"crossEntropy {reduction}, weighted, some ignored", "SoftmaxCrossEntropyLoss", weighted,
            [x, some, Fixed(weights)], {**chosen, "ignore_index": -7},
        )  # fmt: skip
        yield Composite(
            f"negativeLogLikelihood {reduction}", "NegativeLogLikelihoodLoss", likelihood,
            [x, labels, Fixed(weights)], {**chosen, "ignore_index": 1},
        )  # fmt: skip
    logarithms = lambda x: F.log_softmax(x, 1)
    yield Composite("crossEntropy's log_prob", "SoftmaxCrossEntropyLoss", logarithms, [x, labels], {}, 2, 1)


def attention(random):
    attend = F.scaled_dot_product_attention
    # Sizes whose roots are exact: onnxruntime moves scales into products, in float32 even for float64 operands.
    q, k, v = random.normal(2, 4, 3, 4), random.normal(2, 2, 5, 4), random.normal(2, 2, 5, 3)
    grouped = lambda q, k, v: attend(q, k, v, enable_gqa=True)
    yield Composite("attention with grouped queries", "Attention", grouped, [q, k, v])
    q, k, v = random.normal(2, 2, 3, 4), random.normal(2, 2, 3, 4), random.normal(2, 2, 3, 2)
    causal = lambda q, k, v: attend(q, k, v, is_causal=True, scale=0.25)
    yield Composite("attention, causal", "Attention", causal, [q, k, v], {"is_causal": 1, "scale": 0.25})
    seen = torch.tensor([[1, 0, 1], [0, 1, 1], [0, 0, 1]]).bool()
    yield Composite("attention, some keys hidden", "Attention", lambda q, k, v: attend(q, k, v, seen), [q, k, v, seen])
    added = random.normal(2, 1, 1, 3)
    yield Composite("attention with an added mask", "Attention", attend, [q, k, v, added])
    nothing = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 0, 1]]).bool()
    blind = lambda q, k, v: torch.where(nothing.any(1)[:, None], attend(q, k, v, nothing | ~nothing.any(1)[:, None]), 0)
    yield Composite("attention, a query without keys", "Attention", blind, [q, k, v, nothing])
    nowhere = torch.where(nothing, random.normal(3, 3), -torch.inf)
    shifted = lambda q, k, v: torch.where(
        nothing.any(1)[:, None], attend(q, k, v, torch.where(nothing.any(1)[:, None], nowhere, 0)), 0
    )
    yield Composite("attention, a query without keys by −∞", "Attention", shifted, [q, k, v, Fixed(nowhere)])

    def capped(q, k, v):
        scores = 2 * torch.tanh(q @ k.transpose(-1, -2) * 0.5 / 2)
        return torch.softmax(torch.where(seen, scores, -torch.inf), -1) @ v

    yield Composite("attention with a cap", "Attention", capped, [q, k, v, seen], {"softcap": 2})
    heads = lambda x: x.unflatten(-1, (2, 4)).transpose(1, 2)
    flat = lambda q, k, v: attend(heads(q), heads(k), heads(v)).transpose(1, 2).flatten(2)
    sides = [random.normal(1, 3, 8), random.normal(1, 2, 8), random.normal(1, 2, 8)]
    yield Composite("attention, heads side by side", "Attention", flat, sides, {"q_num_heads": 2, "kv_num_heads": 2})


def recurrent(random, op, gates, order):
    """Against nn.RNN, nn.LSTM and nn.GRU, whose gates come in another order than ONNX's: theirs are ours[order]."""
    steps, batch, inputs, hidden = 3, 2, 2, 2
    module = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}[op]
    for directions in [1, 2]:
        layer = module(inputs, hidden, bidirectional=directions == 2).double()
        suffixes = ["", "_reverse"][:directions]

        def run(x, w, r, b, *start, layer=layer, suffixes=suffixes):
            theirs = lambda value: value.unflatten(0, (gates, hidden))[order].flatten(0, 1)
            weights = {}
            for place, suffix in enumerate(suffixes):
                weights[f"weight_ih_l0{suffix}"] = theirs(w[place])
                weights[f"weight_hh_l0{suffix}"] = theirs(r[place])
                weights[f"bias_ih_l0{suffix}"] = theirs(b[place][: gates * hidden])
                weights[f"bias_hh_l0{suffix}"] = theirs(b[place][gates * hidden :])
            state = start if op == "LSTM" else start[0]
            all, last = torch.func.functional_call(layer, weights, (x, state))
            by_direction = all.unflatten(2, (len(suffixes), hidden)).transpose(1, 2)
            return (by_direction, *(last if op == "LSTM" else (last,)))

        start = [random.normal(directions, batch, hidden) for _ in range(2 if op == "LSTM" else 1)]
        values = [
            random.normal(steps, batch, inputs),
            random.normal(directions, gates * hidden, inputs),
            random.normal(directions, gates * hidden, hidden),
            random.normal(directions, 2 * gates * hidden),
            None,
            *start,
        ]
        attributes = {"hidden_size": hidden, "direction": ["forward", "bidirectional"][directions - 1]}
        if op == "GRU":
            attributes["linear_before_reset"] = 1
        for result in range(3 if op == "LSTM" else 2):
            name = f"{op.lower()} {attributes['direction']}, output {result}"
            picked = lambda *given, run=run, result=result: run(*given)[result]
            yield Composite(name, op, picked, values, attributes, 3 if op == "LSTM" else 2, result)


def cases(random):
    yield from normalizations(random)
    yield from losses(random)
    yield from attention(random)
    yield from recurrent(random, "RNN", 1, [0])
    yield from recurrent(random, "LSTM", 4, [0, 2, 3, 1])
    yield from recurrent(random, "GRU", 3, [1, 0, 2])


def encode(value):
    if value is None:
        return None
    plain = value.value if isinstance(value, Fixed) else value
    # JSON has no infinity; the largest number stands for it.
    return tensor(torch.nan_to_num(plain) if plain.is_floating_point() else plain)


def entry(case, random):
    moved = ops.Case(case.name, case.op, case.function, [value for value in case.inputs if is_moved(value)])
    tangents = [random.normal(ops.K, *value.shape) for value in moved.inputs]
    derivatives = ops.reverse(moved, tangents)
    given = iter(tangents)
    return {
        "name": case.name,
        "op": case.op,
        "attributes": case.attributes,
        "inputs": [encode(value) for value in case.inputs],
        "tangents": [tensor(next(given)) if is_moved(value) else None for value in case.inputs],
        "outputs": case.outputs,
        "result": case.result,
        "output": tensor(case.function(*moved.inputs)),
        "derivatives": tensor(derivatives),
    }


random = Coarse(3)
write("composite.golden.json", [entry(case, random) for case in cases(random)])
