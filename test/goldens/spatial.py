"""Convolutions, pools and resizing by PyTorch in float64: values, derivatives along tangents, and exact gradients.

    python test/goldens/spatial.py

ONNX Runtime has no float64 kernels for these ops. `gradients` are those of the sum of output times cotangent; where a
case has a rank, `factored` holds tangents of input 1 alone as products of thin factors, and the derivatives along them.
"""

from dataclasses import dataclass, field
from typing import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from golden import Random, float32, tensor, write

K = 2


@dataclass
class Case:
    name: str
    op: str
    function: Callable[..., Tensor]
    inputs: list[Tensor]
    attributes: dict = field(default_factory=dict)
    rank: int = 0
    """Rank of factored tangents of input 1; 0 for none."""
    constants: list[Tensor | None] = field(default_factory=list)
    """Inputs after the others, without tangents; None for an omitted one. The function does not receive them."""


def torch_pads(pads):
    """ONNX's begin of each axis, then end of each axis, as PyTorch's pairs from the last axis on."""
    half = len(pads) // 2
    return [pad for axis in reversed(range(half)) for pad in (pads[axis], pads[axis + half])]


def conv(random, name, x, w, bias=True, rank=2, torch_padding=None, **attributes):
    axes = len(x) - 2
    pads = torch_padding or attributes.get("pads", [0] * 2 * axes)
    function = lambda x, w, b=None: [F.conv1d, F.conv2d, F.conv3d][axes - 1](
        F.pad(x, torch_pads(pads)), w, b,
        stride=attributes.get("strides", 1),
        dilation=attributes.get("dilations", 1),
        groups=attributes.get("group", 1),
    )
    inputs = [random.normal(*x), random.normal(*w)] + ([random.normal(w[0])] if bias else [])
    return Case(f"conv {name}", "Conv", function, inputs, attributes, rank)


def convolutions(random):
    yield conv(random, "plain", (2, 3, 5, 4), (4, 3, 3, 2))
    yield conv(random, "1×1 rank 1", (2, 3, 3, 4), (4, 3, 1, 1), rank=1)
    yield conv(random, "strides that do not divide", (2, 2, 8, 7), (3, 2, 3, 2), strides=[3, 2], pads=[1, 0, 0, 1])
    yield conv(random, "strides beyond the padding", (1, 2, 6, 9), (2, 2, 1, 2), False, strides=[2, 4])
    yield conv(random, "dilations", (2, 2, 7, 8), (2, 2, 3, 2), dilations=[2, 3], pads=[1, 2, 0, 1])
    yield conv(random, "strides and dilations", (1, 2, 10, 9), (2, 2, 2, 3), strides=[5, 3], dilations=[2, 1])
    yield conv(random, "groups", (2, 4, 5, 4), (6, 2, 3, 2), group=2, rank=1)
    yield conv(random, "groups rank 2", (2, 4, 4, 4), (6, 2, 2, 2), False, group=2)
    yield conv(random, "depthwise", (2, 3, 5, 5), (3, 1, 3, 3), group=3, pads=[1, 1, 1, 1], rank=1)
    yield conv(random, "depthwise ×2", (2, 2, 5, 5), (4, 1, 3, 3), group=2, strides=[2, 2], rank=1)
    same = dict(strides=[2, 1], torch_padding=[0, 1, 1, 2])
    yield conv(random, "same upper", (1, 2, 6, 5), (2, 2, 3, 4), auto_pad="SAME_UPPER", **same)
    same = dict(strides=[2, 1], torch_padding=[1, 2, 0, 1])
    yield conv(random, "same lower", (1, 2, 6, 5), (2, 2, 3, 4), auto_pad="SAME_LOWER", **same)
    yield conv(random, "valid", (1, 2, 6, 5), (2, 2, 3, 4), auto_pad="VALID", strides=[2, 1])
    yield conv(random, "1-D", (2, 3, 9), (4, 3, 3), strides=[2], pads=[2, 1])
    yield conv(random, "3-D", (1, 2, 4, 5, 4), (3, 2, 2, 3, 2), strides=[1, 2, 2], pads=[0, 1, 1, 1, 0, 0])
    yield conv(random, "3-D groups", (1, 4, 3, 4, 3), (4, 2, 2, 2, 2), dilations=[1, 2, 1], group=2, rank=1)


def conv_transpose(random, name, x, w, cut=None, **attributes):
    """`cut`: pads at begin and end of each axis that ONNX takes off the full result."""
    axes = len(x) - 2
    group = attributes.get("group", 1)
    cut = cut or attributes.get("pads", [0] * 2 * axes)

    def function(x, w, b):
        extra = attributes.get("output_padding", [0] * axes)
        full = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][axes - 1](
            x, w, b,
            stride=attributes.get("strides", 1),
            dilation=attributes.get("dilations", 1),
            output_padding=extra,
            groups=group,
        )
        return F.pad(full, [-pad for pad in torch_pads(cut)])

    inputs = [random.normal(*x), random.normal(*w), random.normal(w[1] * group)]
    return Case(f"convTranspose {name}", "ConvTranspose", function, inputs, attributes)


def transposed_convolutions(random):
    yield conv_transpose(random, "plain", (2, 3, 4, 3), (3, 2, 3, 2))
    yield conv_transpose(
        random, "strides", (1, 3, 4, 3), (3, 2, 3, 3), strides=[2, 3], pads=[1, 0, 0, 2], output_padding=[1, 2]
    )
    yield conv_transpose(random, "groups", (2, 4, 3, 3), (4, 3, 2, 3), group=2, dilations=[2, 1], strides=[1, 2])
    same = dict(strides=[2, 2], cut=[0, 0, 1, 1])
    yield conv_transpose(random, "same upper", (1, 2, 3, 4), (2, 2, 3, 3), auto_pad="SAME_UPPER", **same)
    same = dict(strides=[2, 2], cut=[1, 1, 0, 0])
    yield conv_transpose(random, "same lower", (1, 2, 3, 4), (2, 2, 3, 3), auto_pad="SAME_LOWER", **same)
    shaped = dict(strides=[3, 2], cut=[1, 1, 0, 0], output_shape=[8, 6])
    yield conv_transpose(random, "output shape", (1, 2, 3, 3), (2, 2, 3, 3), **shaped)
    yield conv_transpose(random, "1-D", (2, 3, 5), (3, 4, 3), strides=[2], pads=[0, 1])
    yield conv_transpose(random, "3-D", (1, 2, 2, 3, 2), (2, 2, 2, 2, 3), strides=[2, 1, 2], pads=[0, 1, 0, 0, 0, 1])


def pool(random, name, op, functions, x, attributes, **options):
    """`functions` are PyTorch's for 1, 2 and 3 axes; the padding must be symmetric."""
    axes = len(x) - 2
    arguments = {"kernel_size": attributes["kernel_shape"], "stride": attributes.get("strides", 1), **options}
    function = lambda x: functions[axes - 1](x, **arguments)
    return Case(f"{op} {name}", op, function, [random.normal(*x)], attributes)


def average_pools(random):
    mean = lambda name, x, attributes, **options: pool(
        random, name, "AveragePool", [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d], x,
        {"count_include_pad": int(options.get("count_include_pad", False)), **attributes},
        **{"count_include_pad": False, **options},
    )
    yield mean("plain", (2, 3, 4, 6), dict(kernel_shape=[2, 2], strides=[2, 2]))
    yield mean("uncovered", (1, 2, 8, 8), dict(kernel_shape=[2, 1], strides=[3, 4]))
    padded = dict(kernel_shape=[3, 2], strides=[2, 1], pads=[1, 1, 1, 1])
    yield mean("padded", (2, 2, 5, 4), padded, padding=1)
    yield mean("padded, counted", (2, 2, 5, 4), padded, padding=1, count_include_pad=True)
    ceil = dict(kernel_shape=[3, 2], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
    yield mean("ceil", (1, 2, 6, 5), ceil, padding=1, ceil_mode=True)
    yield mean("ceil, counted", (1, 2, 6, 5), ceil, padding=1, ceil_mode=True, count_include_pad=True)
    left_out = dict(kernel_shape=[2, 2], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1)
    yield mean("ceil, last window left out", (1, 1, 4, 4), left_out, padding=1, ceil_mode=True)
    yield mean("1-D", (2, 3, 9), dict(kernel_shape=[3], strides=[2], pads=[1, 1]), padding=1)
    yield mean("3-D", (1, 2, 4, 5, 4), dict(kernel_shape=[2, 3, 2], strides=[2, 1, 2]))
    yield Case("globalAveragePool", "GlobalAveragePool", lambda x: x.mean((2, 3), True), [random.normal(2, 3, 4, 5)])


def norm_pools(random):
    # F.lp_pool2d takes no absolute values, which odd p need.
    for p in [1, 2, 3]:
        norm = lambda x, kernel_size, stride, p=p: (F.avg_pool2d(x.abs() ** p, kernel_size, stride) * 6) ** (1 / p)
        attributes = dict(kernel_shape=[3, 2], strides=[2, 1], p=p)
        yield pool(random, f"p = {p}", "LpPool", [None, norm], (1, 2, 6, 5), attributes)


def largest(random):
    # Few different numbers make ties in most windows.
    tied = lambda *shape: (random.normal(*shape) * 2).round() / 2
    largest = [F.max_pool1d, F.max_pool2d, F.max_pool3d]
    for name, x, attributes, options in [
        ("ties", (2, 2, 6, 6), dict(kernel_shape=[2, 2], strides=[2, 2]), {}),
        ("overlap", (1, 2, 7, 6), dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), dict(padding=1)),
        ("ceil", (1, 2, 6, 7), dict(kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1), dict(ceil_mode=True)),
        ("dilations", (1, 2, 7, 7), dict(kernel_shape=[2, 3], dilations=[3, 2]), dict(dilation=[3, 2])),
        ("1-D", (2, 3, 9), dict(kernel_shape=[3], strides=[2], pads=[1, 1]), dict(padding=1)),
        ("3-D", (1, 2, 4, 5, 4), dict(kernel_shape=[2, 3, 2], strides=[2, 1, 2]), {}),
    ]:
        case = pool(random, name, "MaxPool", largest, x, attributes, **options)
        case.inputs = [tied(*x)]
        yield case
    yield Case("globalMaxPool ties", "GlobalMaxPool", lambda x: F.adaptive_max_pool2d(x, 1), [tied(2, 3, 5, 4)])


def resizes(random):
    def resize(name, x, sizes, torch_mode, mode, coordinates, torch_options=None, **attributes):
        function = lambda x: F.interpolate(x, sizes, mode=torch_mode, **(torch_options or {}))
        attributes = {"mode": mode, "coordinate_transformation_mode": coordinates, **attributes}
        constants = [None, None, torch.tensor([*x[:2], *sizes])]
        return Case(f"resize {name}", "Resize", function, [random.normal(*x)], attributes, constants=constants)

    corners = {"align_corners": True}
    yield resize("nearest", (2, 2, 4, 3), [7, 5], "nearest", "nearest", "asymmetric", nearest_mode="floor")
    exact = dict(nearest_mode="round_prefer_ceil")
    yield resize("nearest exact", (1, 2, 6, 4), [4, 9], "nearest-exact", "nearest", "half_pixel", **exact)
    yield resize("linear", (2, 2, 4, 3), [7, 2], "bilinear", "linear", "half_pixel")
    yield resize("linear pytorch", (1, 2, 4, 3), [6, 5], "bilinear", "linear", "pytorch_half_pixel")
    yield resize("linear corners", (1, 2, 4, 3), [6, 2], "bilinear", "linear", "align_corners", corners)
    yield resize("cubic", (1, 2, 4, 5), [7, 3], "bicubic", "cubic", "half_pixel")
    yield resize("linear 1-D", (2, 2, 5), [8], "linear", "linear", "half_pixel")
    yield resize("linear 3-D", (1, 2, 2, 3, 3), [3, 5, 2], "trilinear", "linear", "half_pixel")


def cases(random):
    yield from convolutions(random)
    yield from transposed_convolutions(random)
    yield from average_pools(random)
    yield from norm_pools(random)
    yield from largest(random)
    yield from resizes(random)


def nine_digits(value):
    """A tensor's JSON with 9 significant digits: float32 inputs stay exact, and results have digits to spare."""
    encoded = tensor(value)
    return {**encoded, "data": [float(f"{x:.9g}") for x in encoded["data"]]}


def along(case, tangents):
    """The derivatives along each tangent: [k, ...shape of the output]."""
    each = [torch.func.jvp(case.function, tuple(case.inputs), tuple(t[i] for t in tangents))[1] for i in range(K)]
    return torch.stack(each)


def factored(case, random):
    rows, columns = case.inputs[1].shape[0], case.inputs[1][0].numel()
    left, right = random.normal(K, rows, case.rank), random.normal(K, columns, case.rank)
    product = (left @ right.transpose(1, 2)).reshape(K, *case.inputs[1].shape)
    tangents = [product if i == 1 else torch.zeros(K, *value.shape).double() for i, value in enumerate(case.inputs)]
    return {"left": nine_digits(left), "right": nine_digits(right), "derivatives": nine_digits(along(case, tangents))}


def entry(case, random):
    inputs = [value.requires_grad_() for value in case.inputs]
    output = case.function(*inputs)
    cotangent = random.normal(*output.shape)
    gradients = torch.autograd.grad(output, inputs, cotangent)
    case.inputs = [value.detach() for value in inputs]
    tangents = [random.normal(K, *value.shape) for value in case.inputs]
    derivatives = along(case, tangents)
    for i in range(K):
        product = sum((gradient * tangent[i]).sum() for gradient, tangent in zip(gradients, tangents))
        torch.testing.assert_close((cotangent * derivatives[i]).sum(), product, rtol=1e-12, atol=1e-12)
    return {
        "name": case.name,
        "op": case.op,
        "attributes": case.attributes,
        "inputs": [nine_digits(value) for value in case.inputs],
        "constants": [value if value is None else tensor(value) for value in case.constants],
        "tangents": [nine_digits(value) for value in tangents],
        "output": nine_digits(output),
        "derivatives": nine_digits(derivatives),
        "cotangent": nine_digits(cotangent),
        "gradients": [nine_digits(value) for value in gradients],
        **({"factored": factored(case, random)} if case.rank else {}),
    }


random = Random(7)
write("spatial.golden.json", [entry(case, random) for case in cases(random)])
