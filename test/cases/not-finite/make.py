"""Models whose weights, values or derivatives are NaN or infinite, by PyTorch's two exporters and onnx.helper.

    python test/cases/not-finite/make.py
"""

import logging
import pathlib
import warnings

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
here = pathlib.Path(__file__).parent


def without_traces(model):
    """Without the exporters' stack traces, which name the machine's folders."""
    del model.metadata_props[:]
    for part in [model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output]:
        part.doc_string = ""
        del part.metadata_props[:]
    return model


def export(name, model, script=False):
    path = here / f"{name}.onnx"
    x = torch.ones(4, 3)
    if script:
        torch.onnx.export(model, (x,), path, dynamo=False, input_names=["x"], do_constant_folding=False)
    else:
        torch.onnx.export(model, (x,), path, dynamo=True, optimize=False, input_names=["x"], external_data=False, verbose=False)
    onnx.save(without_traces(onnx.load(path)), path)


def handmade(name, nodes, **tensors):
    graph = helper.make_graph(
        [helper.make_node(op, inputs.split(","), [output]) for op, inputs, output in nodes],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 2])],
        [numpy_helper.from_array(numpy.float32(value), key) for key, value in tensors.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), here / f"{name}.onnx")


def linear(number, place):
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight[place] = number
    return layer


class After(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        nn.init.zeros_(self.layer.bias)
        nn.init.constant_(self.layer.weight, -1.0)
        self.function = function

    def forward(self, x):
        return self.function(self.layer(x))


torch.manual_seed(0)
export("nan-weight", linear(float("nan"), (1, 2)))
export("nan-weights-script", linear(float("nan"), (slice(None), 1)), script=True)
handmade("infinite-bias", [("MatMul", "x,w", "h"), ("Add", "h,b", "y")], w=numpy.ones((3, 2)), b=[numpy.inf, 1])
handmade("mask", [("MatMul", "x,w", "h"), ("Add", "h,m", "y")], w=numpy.ones((3, 2)), m=[[0, -numpy.inf]])
export("log-of-zero", After(lambda h: torch.log(torch.relu(h))))
export("log-of-sigmoid", After(lambda h: torch.log(torch.sigmoid(h * 20))))
export("root-at-zero", After(lambda h: torch.sqrt(h + 3)))
export("root-of-negative-script", After(torch.sqrt), script=True)
handmade(
    "division-by-zero",
    [("MatMul", "x,w", "h"), ("Sub", "h,h", "d"), ("Div", "h,d", "q"), ("Mul", "q,d", "y")],
    w=numpy.ones((3, 2)),
)
