"""More directional derivatives of single ops by PyTorch in float64: activations, inverse functions, reductions, choices.

    python test/goldens/ops_singular.py

The conventions are those of ops.py, which holds the machinery; points on kinks, ties, zeros and singular matrices.
"""

import torch
from torch.nn import functional as F

from golden import Random, float32, write
from ops import Case, entry, points

SIXTH = float(float32(1 / 6))


def cases(random):
    unary = lambda name, op, function, **attributes: Case(name, op, function, [points(random)], attributes)
    yield unary("selu", "Selu", F.selu)
    yield unary("celu 1", "Celu", F.celu, alpha=1.0)
    yield unary("celu 2", "Celu", lambda x: F.celu(x, 2.0), alpha=2.0)
    yield unary("mish", "Mish", F.mish)
    yield unary("softsign", "Softsign", F.softsign)
    yield unary("swish 1", "Swish", F.silu, alpha=1.0)
    yield unary("swish 2", "Swish", lambda x: x * torch.sigmoid(2 * x), alpha=2.0)
    yield unary("hardSigmoid", "HardSigmoid", F.hardsigmoid, alpha=SIXTH, beta=0.5)
    yield unary("hardSwish", "HardSwish", F.hardswish)
    yield unary("thresholdedRelu", "ThresholdedRelu", lambda x: F.threshold(x, 1.0, 0.0), alpha=1.0)
    yield unary("hardshrink", "Shrink", F.hardshrink, lambd=0.5)
    yield unary("softshrink", "Shrink", F.softshrink, lambd=0.5, bias=0.5)
    slope = float32([0.25, -0.5, 0, 1, 2, 0.01])
    yield Case("prelu", "PRelu", lambda x, a: torch.where(x > 0, x, a * x), [points(random), slope])
    # In forward mode PyTorch 2.15 gives 1 at 0 instead of the slope.
    yield Case("prelu of PyTorch", "PRelu", F.prelu, [points(random), float32([0.25])], only_reverse=True)

    inside = torch.cat([float32([0, 0.5, -0.5, 1e-4, 0.99, -0.99]), random.normal(6, scale=0.25).clamp(-0.9, 0.9)])
    for name in ["asin", "acos", "atan", "atanh", "tan", "sinh", "cosh", "asinh"]:
        yield Case(name, name.capitalize(), getattr(torch, name), [float32((inside).tolist())])
    wide = float32([0, 3, -3, 5, -5, 40, -40])
    for name in ["atan", "asinh"]:
        yield Case(f"{name} far out", name.capitalize(), getattr(torch, name), [wide])
    yield Case("acosh", "Acosh", torch.acosh, [float32([1.0625, 1.5, 2, 3, 10, 80])])
    a = float32([[5, -5, 7.5], [6, 0, -1.25]])
    yield Case("fmod", "Mod", torch.fmod, [a, float32([2, 2, -2.5])], {"fmod": 1})

    axes = torch.tensor([1])
    rows = float32([[1, 3, 3, -2], [0, 0, 0, 0], [-80, 2.5, 80, 1e-4], [0, 1, -1, 0]])
    reduce = lambda name, op, function, x: Case(name, op, function, [x], {"keepdims": 0}, [axes])
    yield reduce("reduceMin", "ReduceMin", lambda x: torch.amin(x, 1), rows)
    yield reduce("reduceL1", "ReduceL1", lambda x: torch.linalg.vector_norm(x, 1, 1), rows)
    yield reduce("reduceL2", "ReduceL2", lambda x: torch.linalg.vector_norm(x, 2, 1), rows)
    yield reduce("reduceSumSquare", "ReduceSumSquare", lambda x: (x * x).sum(1), rows)
    yield reduce("reduceLogSumExp", "ReduceLogSumExp", lambda x: torch.logsumexp(x, 1), rows)
    yield reduce("reduceLogSum", "ReduceLogSum", lambda x: x.sum(1).log(), random.normal(3, 4).abs() + 0.1)
    zeros = float32([[2, -3, 0.5, 4], [2, 0, 0.5, 4], [0, 3, 0, 4], [0, 0, 0, 0], [1e-4, 1e-4, 80, 80]])
    yield reduce("reduceProd", "ReduceProd", lambda x: x.prod(1), zeros)
    five = zeros.T[:, :3].contiguous()
    yield Case("reduceProd of all", "ReduceProd", lambda x: x.prod(), [five], {"keepdims": 0})
    yield Case("mean", "Mean", lambda x, y: (x + y) / 2, [rows, float32([0, 1, 2, 3])])

    # A stable sort chooses the first of equal elements, as TopK does.
    largest = lambda x: torch.sort(x, dim=1, descending=True, stable=True)[0][:, :2]
    smallest = lambda x: torch.sort(x, dim=1, stable=True)[0][:, :3]
    yield Case("topK", "TopK", largest, [rows], {"axis": 1}, [torch.tensor([2])], outputs=2)
    yield Case("topK smallest", "TopK", smallest, [rows], {"largest": 0}, [torch.tensor([3])], outputs=2)

    regular, singular, null = [[1, 2, 0], [0.5, -1, 3], [2, 2, 1]], [[1, 2, 3], [2, 4, 6], [0, 1, -1]], [[0] * 3] * 3
    yield Case("det", "Det", leibniz, [float32([regular, singular, null])])


def leibniz(a):
    """The determinants of 3×3 matrices as sums of products; `torch.linalg.det` divides, so not of singular ones."""
    at = lambda row, column: a[:, row, column]
    term = lambda i, j, k: at(0, i) * at(1, j) * at(2, k)
    return term(0, 1, 2) + term(1, 2, 0) + term(2, 0, 1) - term(0, 2, 1) - term(1, 0, 2) - term(2, 1, 0)


if __name__ == "__main__":
    random = Random(2)
    write("ops-singular.golden.json", [entry(case, random) for case in cases(random)])
