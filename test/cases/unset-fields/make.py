"""Small networks whose files leave every optional field unset: from PyTorch's two exporters and onnx.helper.

    python test/cases/unset-fields/make.py
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
from oracle import clear_unset, save

torch.manual_seed(1)
random = np.random.default_rng(1)
X = random.standard_normal((4, 2, 5, 5)).astype(np.float32)
LABELS = [0, 2, 1, 2]


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)
        self.drop, self.head = nn.Dropout(0.25), nn.Linear(12, 3)
        self.norm.running_mean[:] = torch.tensor([0.1, -0.2, 0.3])
        self.norm.running_var[:] = torch.tensor([0.5, 1.5, 0.9])

    def forward(self, x):
        h = torch.tanh(self.norm(self.conv(x)))
        h = nn.functional.max_pool2d(h, 2, stride=1)
        return self.head(self.drop(h).flatten(1))


def parameters_of(model):
    running = {name for node in model.graph.node if node.op_type == "BatchNormalization" for name in node.input[3:]}
    floats = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and len(t.dims) > 0]
    return [t.name for t in floats if t.name not in running]


network = Network().eval()
for name, opset, dynamo, options in [
    ("torchscript", 17, False, {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}),
    ("dynamo", 20, True, {}),
]:
    model = export(network, {"x": torch.tensor(X)}, "y", opset, dynamo, **options)
    remove_metadata(model)
    clear_unset(model)
    save(__file__, name, model, {"x": X}, LABELS, parameters_of(model))

# Branches, dropout in training mode out of use, an attribute with its default value, and nothing named.
stored = {
    "w": random.standard_normal((50, 6)) / 5,
    "b": random.standard_normal(6),
    "v": random.standard_normal((6, 3)) / 2,
}
branch = helper.make_graph(
    [helper.make_node("Tanh", ["h"], ["t"])], "then", [], [helper.make_tensor_value_info("t", 1, None)]
)
other = helper.make_graph(
    [helper.make_node("Neg", ["h"], ["n"])], "else", [], [helper.make_tensor_value_info("n", 1, None)]
)
graph = helper.make_graph(
    [
        helper.make_node("Flatten", ["x"], ["f"], axis=1),
        helper.make_node("MatMul", ["f", "w"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["h"]),
        helper.make_node("Shape", ["h"], ["s"]),
        helper.make_node("Size", ["s"], ["z"]),
        helper.make_node("Equal", ["z", "two"], ["c"]),
        helper.make_node("If", ["c"], ["i"], then_branch=branch, else_branch=other),
        helper.make_node("Dropout", ["i"], ["d"]),
        helper.make_node("MatMul", ["d", "v"], ["y"]),
    ],
    "g",
    [helper.make_tensor_value_info("x", 1, ["N", 2, 5, 5])],
    [helper.make_tensor_value_info("y", 1, ["N", 3])],
    [
        *(numpy_helper.from_array(value.astype(np.float32), key) for key, value in stored.items()),
        numpy_helper.from_array(np.array(2), "two"),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
clear_unset(model)
save(__file__, "helper", model, {"x": X}, LABELS, list(stored))
