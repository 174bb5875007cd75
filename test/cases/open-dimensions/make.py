"""Files whose inputs have dimensions of -1 or 0, without a name, or no shape at all.

    python test/cases/open-dimensions/make.py
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "goldens")]
from exporting import export, remove_metadata
from oracle import save

random = np.random.default_rng(6)
X = random.standard_normal((4, 5, 3)).astype(np.float32)
LABELS = [0, 2, 1, 2]


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)).mean(1))


def network(dynamo):
    axes = {"x": {0: "batch", 1: "length"}}
    model = export(Network().eval(), {"x": torch.tensor(X)}, "y", 18 if dynamo else 14, dynamo, axes)
    remove_metadata(model)
    del model.graph.value_info[:]
    return model


def values(model):
    return [*model.graph.input, *model.graph.output]


torch.manual_seed(7)
for name, dynamo, change in [
    ("minus-one", False, lambda dim: setattr(dim, "dim_value", -1)),
    ("zero", True, lambda dim: setattr(dim, "dim_value", 0)),
    ("nameless", True, lambda dim: dim.Clear()),
]:
    model = network(dynamo)
    for value in values(model):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                change(dim)
    names = [t.name for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and t.dims]
    save(__file__, name, model, {"x": X}, LABELS, names)

model = network(False)
for value in values(model):
    value.type.tensor_type.ClearField("shape")
names = [t.name for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and t.dims]
save(__file__, "shapeless", model, {"x": X}, LABELS, names)

# A second input, which is filled, with the batch on its second axis.
graph = helper.make_graph(
    [
        helper.make_node("ReduceMean", ["x", "one"], ["m"], keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["p"]),
        helper.make_node("Squeeze", ["state", "zero"], ["s"]),
        helper.make_node("Add", ["p", "s"], ["y"]),
    ],
    "state",
    [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 5, 3]),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, None, 3]),
    ],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
    [
        numpy_helper.from_array(random.standard_normal((3, 3)).astype(np.float32), "w"),
        numpy_helper.from_array(np.array([0]), "zero"),
        numpy_helper.from_array(np.array([1]), "one"),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
inputs = {"x": X, "state": np.full((1, 4, 3), 0.5, np.float32)}
save(__file__, "filled", model, inputs, LABELS, ["w"])
