"""Small networks whose files hold lists of tensors: from PyTorch's two exporters and onnx.helper.

    python test/cases/sequences/make.py
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

torch.manual_seed(2)
random = np.random.default_rng(2)
X = random.standard_normal((4, 6)).astype(np.float32)
LABELS = [0, 2, 1, 2]
UNOPTIMIZED = {"optimize": False}


class Parts(nn.Module):
    """Unequal parts by size and by list, one by one, and stacked again."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Linear(6, 7), nn.Linear(6, 7), nn.Linear(14, 3)

    def forward(self, x):
        gate, value, rest = torch.chunk(self.a(x), 3, dim=-1)  # 3, 3 and 1
        first, last = torch.split(self.b(x), [2, 5], dim=1)
        pairs = torch.stack([gate.tanh() * value, gate - value], 1)
        one, two = pairs.unbind(1)
        return self.head(torch.hstack([one, two, rest, first, last.exp()]))


class Columns(nn.Module):
    """Parts whose number only the shapes tell, joined by functions that make lists in the file."""

    def __init__(self):
        super().__init__()
        self.a, self.bias = nn.Linear(6, 5), nn.Parameter(torch.randn(5))
        self.head = nn.Linear(10, 3)

    def forward(self, x):
        y = torch.tanh(self.a(x))
        parts = y.split(2, dim=1)
        wide = torch.hstack([parts[-1], parts[0] * parts[1], y])
        tall = torch.vstack([self.bias, self.bias.exp()])
        stacked = torch.stack([y, y * tall[0]], dim=2)
        return self.head(torch.cat([wide[:, :5], stacked.sum(2) * tall[1]], 1))


def parameters_of(model):
    floats = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and len(t.dims) > 0]
    return [t.name for t in floats]


def of_pytorch(name, network, opset, dynamo, options):
    model = export(network.eval(), {"x": torch.tensor(X)}, "y", opset, dynamo, **options)
    remove_metadata(model)
    assert any("Sequence" in node.op_type for node in model.graph.node)
    save(__file__, name, model, {"x": X}, LABELS, parameters_of(model))


of_pytorch("dynamo-parts", Parts(), 20, True, UNOPTIMIZED)
of_pytorch("dynamo-columns", Columns(), 18, True, UNOPTIMIZED)
of_pytorch("torchscript-columns", Columns(), 13, False, {})


def helper_model(name, nodes, stored, opset=17, numbers={}):
    constants = [helper.make_node("Constant", [], [key], value=numpy_helper.from_array(np.array(value))) for key, value in numbers.items()]
    graph = helper.make_graph(
        [*constants, *nodes],
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", 6])],
        [helper.make_tensor_value_info("y", 1, ["N", 3])],
        [numpy_helper.from_array(value.astype(np.float32), key) for key, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    save(__file__, name, model, {"x": X}, LABELS, list(stored))


node = helper.make_node
# Put in at both ends, taken out, counted, and joined on a new axis.
helper_model(
    "helper-list",
    [
        node("MatMul", ["x", "w"], ["h"]),
        node("Tanh", ["h"], ["t"]),
        node("SequenceEmpty", [], ["s0"], dtype=1),
        node("SequenceInsert", ["s0", "h"], ["s1"]),
        node("SequenceInsert", ["s1", "t", "zero"], ["s2"]),
        node("SequenceInsert", ["s2", "b", "last"], ["s3"]),
        node("SequenceAt", ["s3", "one"], ["bias"]),
        node("SequenceErase", ["s3", "minus2"], ["s4"]),
        node("SequenceLength", ["s4"], ["n"]),
        node("Cast", ["n"], ["nf"], to=1),
        node("ConcatFromSequence", ["s4"], ["c"], axis=-1, new_axis=1),
        node("ReduceMean", ["c"], ["m"], axes=[2], keepdims=0),
        node("Mul", ["m", "nf"], ["k"]),
        node("Add", ["k", "bias"], ["y"]),
    ],
    {"w": random.standard_normal((6, 3)) / 2, "b": random.standard_normal((1, 3))},
    numbers={"zero": 0, "one": 1, "minus2": -2, "last": -1},
)
# Rows one by one without their axis, and a graph for each of them.
body = helper.make_graph(
    [node("Mul", ["row", "factor"], ["p"]), node("Sigmoid", ["p"], ["q"])],
    "body",
    [helper.make_tensor_value_info("row", 1, None), helper.make_tensor_value_info("factor", 1, None)],
    [helper.make_tensor_value_info("q", 1, None)],
)
helper_model(
    "helper-rows",
    [
        node("SplitToSequence", ["w"], ["rows"], axis=0, keepdims=0),
        node("SequenceMap", ["rows", "scale"], ["mapped"], body=body),
        node("SequenceAt", ["mapped", "last"], ["r"]),
        node("ConcatFromSequence", ["rows"], ["again"], axis=0, new_axis=1),
        node("MatMul", ["x", "again"], ["h"]),
        node("SplitToSequence", ["h", "sizes"], ["pieces"], axis=1),
        node("SequenceAt", ["pieces", "one"], ["right"]),
        node("SequenceAt", ["pieces", "zero"], ["left"]),
        node("Slice", ["r", "start", "end"], ["r3"]),
        node("Mul", ["left", "r3"], ["z"]),
        node("Add", ["z", "right"], ["y"]),
    ],
    {"w": random.standard_normal((6, 6)) / 2, "scale": random.standard_normal((1,))},
    numbers={"zero": np.int32(0), "one": np.int32(1), "last": -1, "sizes": [3, 3], "start": [0], "end": [3]},
)
