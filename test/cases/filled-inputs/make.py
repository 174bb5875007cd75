"""Small networks with inputs that always hold the same number: states with the batch on another axis, switches, masks.

    python test/cases/filled-inputs/make.py
"""

import sys
from pathlib import Path

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "goldens")]
from exporting import export, remove_metadata
from oracle import save

torch.manual_seed(5)
random = np.random.default_rng(5)
X = random.standard_normal((4, 5, 3)).astype(np.float32)
LABELS = [0, 2, 1, 2]


class State(nn.Module):
    """A recurrent layer that takes the state [layers, batch, width] before the first position."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.GRU(3, 4, num_layers=2, batch_first=True), nn.Linear(4, 3)

    def forward(self, x, h):
        y, last = self.layer(x, h)
        return self.head(y.mean(1) + last[1])


class States(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x, h, c):
        return self.head(self.layer(x, (h, c))[0][:, -1])


class Switch(nn.Module):
    """A branch that an input chooses, and a factor that another one gives."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(4, 3)

    def forward(self, x, slow, factor):
        y = torch.cond(slow, lambda x: self.first(x).tanh(), lambda x: self.second(x).sin(), (x,))
        return self.head(y.sum(1) * factor)


def parameters_of(model, without=()):
    floats = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and len(t.dims) > 0]
    return [t.name for t in floats if not t.name.startswith(without)]


def of_pytorch(name, network, inputs, axes, opset, dynamo, without=(), **options):
    given = {key: torch.tensor(value) for key, value in inputs.items()}
    model = export(network.eval(), given, "y", opset, dynamo, axes, **options)
    remove_metadata(model)
    fill = {key: float(value.flat[0]) for key, value in inputs.items() if key != "x"}
    save(__file__, name, model, inputs, LABELS, parameters_of(model, without), fill=fill)


def full(number, *shape):
    return np.full(shape, number, np.float32)


batch, middle = {0: "batch"}, {1: "batch"}
of_pytorch("torchscript-state", State(), {"x": X, "h": full(0, 2, 4, 4)}, {"x": batch, "h": middle}, 17, False)
of_pytorch(
    "dynamo-states",
    States(),
    {"x": X, "h": full(0.5, 1, 4, 4), "c": full(-0.25, 1, 4, 4)},
    {"x": batch, "h": middle, "c": middle},
    20,
    True,
    optimize=False,
)
of_pytorch(
    "dynamo-switch",
    Switch(),
    {"x": X, "slow": np.array(False), "factor": full(0.5, 1)},
    {"x": batch, "slow": {}, "factor": {}},
    20,
    True,
    without=("first",),
    optimize=False,
)

node, value = helper.make_node, helper.make_tensor_value_info
stored = {key: random.standard_normal(shape) / 2 for key, shape in {"w": (3, 4), "v": (3, 4), "u": (4, 3)}.items()}
branches = [
    helper.make_graph([node("MatMul", ["x", key], [f"{key}x"])], key, [], [value(f"{key}x", 1, None)]) for key in "wv"
]
# The numbers of two inputs together choose the branch, and one of them says how many positions are read.
graph = helper.make_graph(
    [
        node("Mul", ["rate", "length"], ["product"]),
        node("Greater", ["product", "bound"], ["isFast"]),
        node("If", ["isFast"], ["h"], then_branch=branches[0], else_branch=branches[1]),
        node("Reshape", ["length", "one"], ["end"]),
        node("Slice", ["h", "zero", "end", "one"], ["part"]),
        node("Tanh", ["part"], ["t"]),
        node("ReduceSum", ["t", "one"], ["s"], keepdims=0),
        node("MatMul", ["s", "u"], ["y"]),
    ],
    "g",
    [value("x", 1, ["n", 5, 3]), value("rate", 7, []), value("length", 7, [])],
    [value("y", 1, ["n", 3])],
    [
        *(numpy_helper.from_array(array.astype(np.float32), key) for key, array in stored.items()),
        numpy_helper.from_array(np.array(100), "bound"),
        numpy_helper.from_array(np.array([1]), "one"),
        numpy_helper.from_array(np.array([0]), "zero"),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
inputs = {"x": X, "rate": np.array(16000), "length": np.array(3)}
save(__file__, "helper-rate", model, inputs, LABELS, ["w", "u"], fill={"rate": 16000, "length": 3})
