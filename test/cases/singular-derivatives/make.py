"""Models at points where derivatives are infinite, tied, saturated or of size 0, and their gradients by PyTorch in float64.

    python test/cases/singular-derivatives/make.py

Most are written by PyTorch's two exporters, some by onnx.helper. A gradient is that of Σ target ⊙ y, by reverse mode, or
where PyTorch's own multiplies 0 by ∞ (`by="jvp"`) by forward mode, or in closed form (`expected`).
"""

import io
import json
import logging
import pathlib
import warnings

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
here = pathlib.Path(__file__).parent
cases = []


class Model(nn.Module):
    def __init__(self, function, values):
        super().__init__()
        self.function = function
        for name, value in values.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(value, dtype=torch.float32)))

    def forward(self, x):
        return self.function(x, *self.parameters())


def gradients(function, x, values, target, by):
    leaves = [torch.tensor(value, dtype=torch.float32).double().requires_grad_() for value in values.values()]
    x = torch.tensor(x, dtype=torch.float64)
    loss = lambda *leaves: (function(x, *leaves).double() * target).sum()
    if by == "reverse":
        found = torch.autograd.grad(loss(*leaves), leaves, allow_unused=True)
        return [torch.zeros_like(leaf) if one is None else one for leaf, one in zip(leaves, found)]
    result = []
    for place, leaf in enumerate(leaves):
        along = []
        for index in range(leaf.numel()):
            tangents = [torch.zeros_like(each) for each in leaves]
            tangents[place].view(-1)[index] = 1
            along.append(torch.func.jvp(loss, tuple(each.detach() for each in leaves), tuple(tangents))[1])
        result.append(torch.stack(along).view(leaf.shape))
    return result


def entry(name, x, values, target, found, kept=None):
    lists = {key: torch.as_tensor(value).flatten().tolist() for key, value in zip(values, found)}
    spell = lambda number: number if numpy.isfinite(number) else str(number)
    cases.append(
        {
            "name": name,
            "x": {"shape": list(numpy.shape(x)), "data": [spell(number) for number in numpy.ravel(numpy.float32(x)).tolist()]},
            "target": target.flatten().tolist(),
            "gradients": {key: [spell(number) for number in numbers] for key, numbers in lists.items()},
            **(kept or {}),
        }
    )


def exported(name, function, exporter="dynamo", x=((1.0,),), by="reverse", expected=None, oracle=None, opset=18, **kept):
    """A PyTorch module whose parameters are the keyword arguments that are lists or numbers."""
    values = {key: value for key, value in kept.items() if key not in ("relative",)}
    model = Model(function, values).eval()
    with torch.no_grad():
        y = model(torch.tensor(x))
    target = torch.linspace(0.5, 1.5, y.numel(), dtype=torch.float64).view(y.shape)
    path = here / f"{name}.onnx"
    if exporter == "dynamo":
        torch.onnx.export(model, (torch.tensor(x),), path, dynamo=True, optimize=False, opset_version=opset, input_names=["x"], external_data=False, verbose=False)
    else:
        torch.onnx.export(model, (torch.tensor(x),), path, dynamo=False, opset_version=opset, input_names=["x"], do_constant_folding=False)
    onnx.save(without_traces(onnx.load(path)), path)
    found = expected or gradients(oracle or function, x, values, target, by)
    entry(name, x, values, target, found, {"relative": True} if kept.get("relative") else {})


def without_traces(model):
    """Without the exporters' stack traces, which name the machine's folders."""
    del model.metadata_props[:]
    for part in [model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output]:
        part.doc_string = ""
        del part.metadata_props[:]
    return model


def handmade(name, nodes, values, expected, x=((1.0,),), shape=None, **constants):
    """A graph by onnx.helper, from x and the parameters to y, with the gradient of Σ y in closed form."""
    stored = {**values, **constants}
    tensors = [
        numpy_helper.from_array(value if isinstance(value, numpy.ndarray) else numpy.float32(value), key)
        for key, value in stored.items()
    ]
    graph = helper.make_graph(
        [helper.make_node(op, inputs.split(","), outputs.split(","), **attributes) for op, inputs, outputs, attributes in nodes],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(numpy.shape(x)))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, here / f"{name}.onnx")
    session = onnx.reference.ReferenceEvaluator(model)
    with numpy.errstate(all="ignore"):
        y = session.run(None, {"x": numpy.float32(x)})[0]
    entry(name, x, values, torch.ones(y.size), [torch.tensor(value, dtype=torch.float64) for value in expected])


def anchored(function):
    """The result beside what depends on x, which exporters want to see used."""
    return lambda x, *leaves: torch.cat([function(*leaves).reshape(-1), x.reshape(-1)])


# Branches that are not chosen.
exported("atan2", anchored(torch.atan2), a=[0.0, 1.0, 0.0, -2.0], b=[0.0, 2.0, -1.0, 3.0])
exported("atan2-script", anchored(torch.atan2), "script", a=[0.0, 1.0, 0.5], b=[0.0, 2.0, -1.0])
exported("sinc", anchored(torch.sinc), a=[0.0, 1.5, -0.25])
exported("xlogy", anchored(lambda a, b: torch.where(a == 0, 0.0, a * torch.log(b))), by="jvp", a=[0.0, 2.0], b=[0.0, 3.0])
exported("nan-to-num", anchored(lambda a: torch.nan_to_num(torch.log(a), neginf=-9.0)), "script", expected=[[0.0, 5 / 12, 7 / 6]], a=[0.0, 2.0, 1.0])
exported("where-softplus", anchored(lambda a: torch.where(a > 20, a, torch.log1p(torch.exp(a)))), "script", by="jvp", a=[200.0, 1.0, -3.0])
exported("where-norm", anchored(lambda a: torch.where(a.sum() > 0, a / a.sum(), a)), by="jvp", a=[0.0, 0.0, 0.0])
exported("relu-sqrt", anchored(lambda a: F.relu(torch.sqrt(a) - 1)), by="jvp", a=[0.0, 4.0])
exported("relu-root", anchored(lambda a: F.relu(torch.sqrt(torch.sqrt(a)) - 1)), "script", by="jvp", a=[0.0, 16.0])
exported("maximum-log", anchored(lambda a: torch.maximum(torch.log(a), torch.tensor(-100.0))), by="jvp", a=[0.0, 2.0])
exported("leaky-log", anchored(lambda a: F.hardtanh(torch.log(a), -3, 3)), by="jvp", a=[0.0, 2.0, 60.0])
exported("bce", anchored(lambda a: F.binary_cross_entropy(torch.sigmoid(a), torch.tensor([1.0, 0.0, 1.0], dtype=a.dtype), reduction="none")), a=[200.0, -200.0, 0.5])
mask = torch.tensor([[True, False, False], [False] * 3, [True, True, True]])
attention = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
heads = lambda seed: numpy.random.default_rng(seed).normal(size=(1, 1, 3, 2)).astype("float32").tolist()
exported("masked-attention", anchored(attention), opset=23, q=heads(1), k=heads(2), v=heads(3))
exported("masked-attention-script", anchored(attention), "script", q=heads(4), k=heads(5), v=heads(6))
handmade(
    "masked-by-input",
    [("Add", "w,x", "z", {}), ("Softmax", "z", "s", {"axis": -1}), ("IsNaN", "s", "n", {}), ("Where", "n,zero,s", "p", {}), ("Mul", "p,c", "y", {})],
    {"w": [[1.0, 1.0], [0.0, 0.0]]},
    [[0.0, 0.0, 0.25, -0.25]],
    x=[[-numpy.inf, -numpy.inf], [0, 0]], shape=[2, 2], zero=0.0, c=[2.0, 1.0],
)
handmade(
    "where-power",
    [("Pow", "w,e", "p", {}), ("Greater", "w,zero", "m", {}), ("Where", "m,p,zero", "r", {}), ("Mul", "r,x", "y", {})],
    {"w": [0.0, 4.0]}, [[0.0, -0.0625]], shape=[1, 2], e=-0.5, zero=0.0,
)
handmade(
    "where-product",
    [("Log", "w", "l", {}), ("Mul", "w,l", "p", {}), ("Equal", "w,zero", "m", {}), ("Where", "m,zero,p", "r", {}), ("Mul", "r,x", "y", {})],
    {"w": [0.0, 1.0]}, [[0.0, 1.0]], shape=[1, 2], zero=0.0,
)

# A tangent of 0 times an infinite derivative.
exported("std", anchored(lambda a: a.std(1)), a=[[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])
exported("std-script", anchored(lambda a: a.std(1)), "script", a=[[0.5, 0.5], [1.0, 2.0]])
exported("cdist", anchored(lambda a: torch.cdist(a, a.detach() * 1.0)), "script", expected=[[0.0] * 4], a=[[1.0, 2.0], [1.0, 2.0]])
exported("norm", anchored(lambda a: torch.linalg.vector_norm(a, dim=1)), a=[[0.0, 0.0], [3.0, 4.0]])
exported("norm-script", anchored(lambda a: a.norm(dim=1)), "script", a=[[0.0, 0.0], [3.0, 4.0]])
handmade("roots", [("Mul", "x,w", "p", {}), ("Sqrt", "p", "y", {})], {"w": [0.0, 4.0]}, [[numpy.inf, 0.25]], shape=[1, 2])
handmade(
    "distance",
    [("Sub", "x,w", "d", {}), ("Pow", "d,two", "q", {}), ("ReduceSum", "q,axis", "s", {"keepdims": 0}), ("Sqrt", "s", "r", {}), ("Mul", "r,big", "y", {})],
    {"w": [[1.0, 2.0], [3.0, 4.0]]}, [[0.0, 0.0, 600.0, 800.0]], x=[[1.0, 2.0], [0.0, 0.0]], shape=[2],
    two=2.0, axis=numpy.array([1], "int64"), big=1000.0,
)

# Saturated gates and likelihoods, to a relative 1e-5 each.
saturated = [-80.0, -40.0, -19.0, -5.0, 0.0, 5.0, 19.0, 40.0, 80.0]
def precise(name, function, exporter="dynamo", oracle=None, **values):
    """Float64 loses 1 − σ(80) as float32 does, so the right value comes from a form that keeps it."""
    exported(name, anchored(function), exporter, oracle=anchored(oracle or function), relative=True, **values)

sigma = lambda a: torch.exp(F.logsigmoid(a))
precise("sigmoid", torch.sigmoid, oracle=sigma, a=saturated)
precise("sigmoid-script", lambda a: torch.sigmoid(a) * 3, "script", lambda a: 3 * sigma(a), a=saturated)
precise("silu", F.silu, oracle=lambda a: a * sigma(a), a=saturated)
precise("silu-script", F.silu, "script", lambda a: a * sigma(a), a=saturated)
precise("glu", lambda a, b: a * torch.sigmoid(b), oracle=lambda a, b: a * sigma(b), a=[2.0] * 9, b=saturated)
precise("glu-script", lambda a: F.glu(a, 0), "script", lambda a: a[:4] * sigma(a[4:]), a=[3.0, -1.0, 2.0, 0.5, -80.0, -30.0, 0.0, 70.0])
precise("softplus", F.softplus, "script", lambda a: -F.logsigmoid(-a), a=saturated)
precise("log-sigmoid", F.logsigmoid, "script", a=saturated)
precise("log-of-sigmoid", lambda a: torch.log(torch.sigmoid(a)).unsqueeze(0), oracle=F.logsigmoid, a=saturated[:-2])
precise("log-of-squeezed", lambda a: torch.log(torch.sigmoid(a).squeeze(1)), "script", lambda a: F.logsigmoid(a[:, 0]), a=[[number] for number in saturated[:-2]])
precise("focal", lambda a: (1 - torch.sigmoid(a)) * torch.log(torch.sigmoid(a)), oracle=lambda a: sigma(-a) * F.logsigmoid(a), a=[-80.0, -25.0, -18.25, -10.0, 3.0])
exported("log-of-softmax", anchored(lambda a: torch.log(torch.softmax(a, 1))[:, 1]), by="reverse", expected=[[-0.5, 0.5, 0.0, -1 / (1 + numpy.e), 1 / (1 + numpy.e), 0.0]], a=[[200.0, 0.0, -50.0], [0.0, 1.0, -300.0]])
gates = [[30.0], [-40.0], [25.0], [0.3]]
def cell(x, w, r, h, c):
    i, f, g, o = (F.linear(x, w) + F.linear(h, r)).chunk(4, 1)
    return torch.sigmoid(o) * torch.tanh(torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g))
exported("lstm-gates", cell, "script", w=gates, r=[[0.5], [1.0], [-1.0], [2.0]], h=[[0.5]], c=[[0.25]])

# PyTorch's samples of its own ops.
index = torch.tensor([1, 1])
exported("index-fill", anchored(lambda a, b: a.index_fill(0, index, b)), "script", opset=13, a=[1.0, 2.0, 3.0], b=2.0)
exported("index-fill-dynamo", anchored(lambda a, b: a.index_fill(0, torch.tensor([2, 0, 2]), b)), a=[1.0, 2.0, 3.0], b=2.0)
handmade(
    "scatter-nd",
    [("ScatterND", "w,i,u", "s", {}), ("Mul", "s,c", "y", {})],
    {"w": [1.0, 2.0, 3.0], "u": [5.0, 6.0, 7.0]}, [[1.0, 0.0, 0.0], [0.0, 4.0, 2.0]], shape=[3],
    i=numpy.array([[2], [2], [-2]], "int64"), c=[1.0, 2.0, 4.0],
)
# One bound alone is written as Max or Min.
exported("clamp-above-root", anchored(lambda a: torch.sqrt(torch.clamp(a, min=0.0))), a=[0.0, 4.0, -1.0])
exported("clamp-below", anchored(lambda a: torch.clamp(a, max=2.0)), a=[1.0, 2.0, 3.0])
exported("clamp-squared-distance", anchored(lambda a, b: torch.sqrt(((a[:, None] - b) ** 2).sum(-1).clamp(min=0.0))), oracle=anchored(lambda a, b: torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")), a=[[1.0, 2.0], [3.0, 4.0]], b=[[1.0, 2.0], [0.0, 1.0]])
handmade(
    "clamp-helper", [("Max", "w,z", "m", {}), ("Min", "t,m", "n", {}), ("Mul", "n,c", "y", {})],
    {"w": [0.0, 1.0, 2.0, -1.0, 3.0]}, [[0.0, 1.0, 0.0, 0.0, 0.0]], shape=[5],
    z=numpy.array([0.0], "float32"), t=numpy.array(2.0, "float32"), c=numpy.array([1.0] * 5, "float32"),
)
exported("clamp-bounds", anchored(lambda a, b, c: torch.clamp(a, b, c)), a=[1.0, 2.0, 3.0, 4.0, 5.0], b=2.0, c=4.0)
exported("clamp-bounds-script", anchored(lambda a, b: torch.clamp(a, max=b)), "script", a=[1.0, 2.0, 3.0], b=2.0)
empty = lambda *shape: numpy.zeros(shape, "float32").tolist()
exported("matmul-0", anchored(torch.matmul), "script", a=[[], []], b=torch.zeros(0, 3).numpy())
exported("det-0", anchored(torch.det), "script", a=torch.zeros(0, 0).numpy())
exported("flip-0", anchored(lambda a: a.flip(1)), "script", a=torch.zeros(2, 0).numpy())
exported("truncated-division", anchored(lambda a, b: torch.div(a, b, rounding_mode="trunc").to(torch.int64).to(a.dtype)), "script", expected=[[0.0] * 2] * 2, a=[1.0, 2.0], b=[1.0, 3.0])
exported("normalize-scalar", anchored(lambda a: F.normalize(a, dim=0, p=0.0)), a=-8.5)

(here / "cases.golden.json").write_text(json.dumps(cases, indent=1) + "\n")
print(len(cases), "cases,", sum(path.stat().st_size for path in here.glob("*.onnx")), "bytes")
