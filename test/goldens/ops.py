"""Directional derivatives of single ops by PyTorch in float64, with points on kinks, on ties and far out.

    python test/goldens/ops.py

The convention at kinks is that of PyTorch's reverse mode: the derivatives are the reverse-mode Jacobian times the
tangent. The script fails where PyTorch's forward mode differs from it; with PyTorch 2.15 it does nowhere here.
"""

from dataclasses import dataclass, field
from typing import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from golden import Random, float32, tensor, write

K = 3
ALPHA = {name: float(float32(value)) for name, value in {"0.01": 0.01, "0.2": 0.2, "0.5": 0.5, "1": 1}.items()}
POINTS = [0, 1, -1, 0.5, -0.5, 1e-4, -1e-4, 3, -3, 20, -20, 80, -80]


@dataclass
class Case:
    name: str
    op: str
    function: Callable[..., Tensor]
    inputs: list[Tensor]
    attributes: dict = field(default_factory=dict)
    constants: list[Tensor] = field(default_factory=list)
    """Inputs after the others that have no tangent (null in the file); the function does not receive them."""
    outputs: int = 1
    """Outputs of the op; the function gives the first."""
    only_reverse: bool = False
    """PyTorch's forward mode is known to differ at a kink."""


def points(random):
    return torch.cat([float32(POINTS), random.normal(11, scale=1.5)]).reshape(4, 6)


def inside_and_outside(random):
    """Points of which none is on the bounds ±1."""
    return torch.cat([float32([0, 0.5, -0.5, 0.999, -1.001, 3, -3, 80]), random.normal(4)]).reshape(3, 4)


def cases(random):
    unary = lambda name, op, function, **attributes: Case(name, op, function, [points(random)], attributes)
    for alpha in ["0.01", "0.2"]:
        value = ALPHA[alpha]
        yield unary(f"leakyRelu {alpha}", "LeakyRelu", lambda x, a=value: F.leaky_relu(x, a), alpha=value)
    for alpha in ["1", "0.5"]:
        value = ALPHA[alpha]
        yield unary(f"elu {alpha}", "Elu", lambda x, a=value: F.elu(x, a), alpha=value)
    # The default threshold of 20 would replace softplus by the identity; ONNX has no threshold.
    yield unary("softplus", "Softplus", lambda x: F.softplus(x, threshold=700))
    yield unary("erf", "Erf", torch.erf)
    yield unary("gelu", "Gelu", F.gelu, approximate="none")
    yield unary("geluTanh", "Gelu", lambda x: F.gelu(x, approximate="tanh"), approximate="tanh")
    yield unary("relu", "Relu", torch.relu)
    yield unary("abs", "Abs", torch.abs)

    left = float32([[0, 1, -2, 3], [1.5, 0, 0, -80], [80, -1, 1e-4, 2]])
    right = float32([[0, 2, -2, 3], [1.5, 1, -1, 80], [-80, -1, -1e-4, 0]])
    row = float32([0, 1, 1e-4, 3])
    yield Case("max", "Max", torch.maximum, [left, right])
    yield Case("max broadcast", "Max", torch.maximum, [left, row])
    yield Case("min", "Min", torch.minimum, [left, right])
    yield Case("min broadcast", "Min", torch.minimum, [row, left])
    tied = float32([[1, 3, 3, -2], [0, 0, 0, 0], [-80, 2.5, 80, 1e-4]])
    axes = torch.tensor([1])
    yield Case("reduceMax", "ReduceMax", lambda x: torch.amax(x, 1), [tied], {"keepdims": 0}, [axes])
    yield Case("reduceMax keepdims", "ReduceMax", lambda x: torch.amax(x, 1, True), [tied], {"keepdims": 1}, [axes])

    # On a bound PyTorch 2.15 gives x the derivative 0 when the bounds are numbers and ½ when they are tensors
    # (pytorch/pytorch#191142); earlier releases give 1.
    low, high, bounds = float32(-1), float32(1), float32([-1, 1])
    clip = lambda x: torch.clamp(x, -1, 1)
    yield Case("clip", "Clip", clip, [inside_and_outside(random)], constants=[low, high])
    yield Case("clip on the bounds", "Clip", clip, [bounds], constants=[low, high])
    yield Case("clip with tangents of the bounds", "Clip", torch.clamp, [inside_and_outside(random), low, high])
    yield Case("clip on the bounds with tangents of the bounds", "Clip", torch.clamp, [bounds, low, high])

    positive = torch.cat([float32([0, 1, 1e-4, 0.25, 20, 80]), random.normal(6).abs()]).reshape(3, 4)
    exponent = float32(2.5)
    yield Case("pow 2.5", "Pow", lambda x: torch.pow(x, 2.5), [positive], constants=[exponent])
    yield Case("pow with tangent of the exponent", "Pow", torch.pow, [positive, exponent])
    yield Case("sqrt", "Sqrt", torch.sqrt, [torch.where(positive == 0, float32(1e-8), positive)])

    logits = torch.cat([random.normal(2, 4, scale=2), float32([[80, -80, 20, -20], [1, 1, 1, 1]])])
    yield Case("softmax", "Softmax", lambda x: torch.softmax(x, -1), [logits], {"axis": -1})
    yield Case("logSoftmax", "LogSoftmax", lambda x: torch.log_softmax(x, -1), [logits], {"axis": -1})


def reverse(case, tangents):
    """The reverse-mode Jacobian times each tangent: [k, ...shape of the output]."""
    jacobians = torch.autograd.functional.jacobian(case.function, tuple(case.inputs))
    output = case.function(*case.inputs)
    parts = [
        tangent.reshape(K, -1) @ jacobian.reshape(output.numel(), -1).T
        for jacobian, tangent in zip(jacobians, tangents)
    ]
    return torch.stack(parts).sum(0).reshape(K, *output.shape)


def forward(case, tangents):
    each = [torch.func.jvp(case.function, tuple(case.inputs), tuple(t[i] for t in tangents))[1] for i in range(K)]
    return torch.stack(each)


def entry(case, random):
    tangents = [random.normal(K, *value.shape) for value in case.inputs]
    derivatives = reverse(case, tangents)
    if not case.only_reverse:
        torch.testing.assert_close(
            forward(case, tangents), derivatives, rtol=1e-12, atol=1e-12,
            msg=lambda text: f"{case.name}: forward mode differs from reverse mode. {text}",
        )
    return {
        "name": case.name,
        "op": case.op,
        "attributes": case.attributes,
        **({"outputs": case.outputs} if case.outputs > 1 else {}),
        "inputs": [tensor(value) for value in [*case.inputs, *case.constants]],
        "tangents": [tensor(value) for value in tangents] + [None] * len(case.constants),
        "output": tensor(case.function(*case.inputs)),
        "derivatives": tensor(derivatives),
    }


if __name__ == "__main__":
    random = Random(1)
    write("ops.golden.json", [entry(case, random) for case in cases(random)])
