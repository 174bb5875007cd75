"""Files that keep their weights in Constant nodes.

    python test/cases/constant-weights/make.py
"""

import sys
from pathlib import Path

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript import FLOAT, opset18, script
from torch import nn

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "goldens")]
from exporting import export, remove_metadata
from oracle import save

random = np.random.default_rng(3)
X = random.standard_normal((4, 1, 6, 6)).astype(np.float32)
LABELS = [0, 2, 1, 2]


def weights(*shape):
    return (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def as_constants(model):
    """The initializers as Constant nodes."""
    graph = model.graph
    nodes = [helper.make_node("Constant", [], [t.name], value=t) for t in graph.initializer]
    own = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *own])
    names = [t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT and t.dims]
    del graph.initializer[:]
    return names


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 2, 3), nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.norm(nn.functional.max_pool2d(torch.relu(self.conv(x)), 2).flatten(1)))


torch.manual_seed(4)
network = Network().eval()
nn.init.normal_(network.norm.weight)
nn.init.normal_(network.norm.bias)
for name, opset, dynamo in [("torchscript", 17, False), ("dynamo", 18, True)]:
    model = export(network, {"x": torch.tensor(X)}, "y", opset, dynamo)
    remove_metadata(model)
    save(__file__, name, model, {"x": X}, LABELS, as_constants(model))


# onnx.helper: through Reshape and Transpose, as a list of floats, beside constants that decide shapes.
def constant(name, value):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value), name))


graph = helper.make_graph(
    [
        constant("scales", np.array([1, 1, 0.5, 0.5], np.float32)),
        constant("k", weights(2, 9)),
        constant("kernel shape", [2, 1, 3, 3]),
        constant("w", weights(3, 8)),
        helper.make_node("Constant", [], ["b"], value_floats=[float(each) for each in weights(3, 1).ravel()]),
        constant("half", np.float32(0.5)),
        helper.make_node("Reshape", ["k", "kernel shape"], ["kernel"]),
        helper.make_node("Conv", ["x", "kernel"], ["c"]),
        helper.make_node("Tanh", ["c"], ["t"]),
        helper.make_node("Resize", ["t", "", "scales"], ["r"], mode="nearest"),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Mul", ["f", "half"], ["m"]),
        helper.make_node("Transpose", ["w"], ["wt"]),
        helper.make_node("MatMul", ["m", "wt"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["y"]),
    ],
    "constants",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 6, 6])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
save(__file__, "helper", model, {"x": X}, LABELS, ["k", "w", "b"])

# onnxscript: numbers of the script around it, in a function and in the graph.
W, V = weights(4, 36).T.copy(), weights(3, 4).T.copy()
W_TENSOR, V_TENSOR = numpy_helper.from_array(W), numpy_helper.from_array(V)


@script(default_opset=opset18)
def script_network(x: FLOAT["N", 1, 6, 6]) -> FLOAT["N", 3]:
    w = opset18.Constant(value=W_TENSOR)
    h = opset18.Sigmoid(opset18.MatMul(opset18.Flatten(x), w))
    v = opset18.Constant(value=V_TENSOR)
    y = opset18.MatMul(h, v)
    return y


model = script_network.to_model_proto()
remove_metadata(model)
names = [node.output[0] for node in model.graph.node if node.op_type == "Constant"]
save(__file__, "onnxscript", model, {"x": X}, LABELS, names)
