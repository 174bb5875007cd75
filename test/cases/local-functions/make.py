"""Files with functions of their own: nested, with attributes by reference and by default, overloaded, with branches.

    python test/cases/local-functions/make.py
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxscript import FLOAT, opset18, script
from onnxscript.values import Opset

sys.path += [str(Path(__file__).parents[1])]
from oracle import save

random = np.random.default_rng(2)
X = random.standard_normal((4, 6)).astype(np.float32)
LABELS = [0, 2, 1, 2]


def weights(*shape):
    return (random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)


# onnxscript: functions of two domains that call each other; `alpha` is passed on by reference, or is the default.
inner, outer = Opset("inner.domain", 1), Opset("outer.domain", 2)


@script(inner)
def dense(x, w, b):
    return opset18.Add(opset18.MatMul(x, w), b)


@script(inner)
def leaky(x, alpha: float = 0.2):
    return opset18.LeakyRelu(x, alpha=alpha)


@script(outer)
def block(x, w, b, slope: float = 0.4):
    h = dense(x, w, b)
    return leaky(h, alpha=slope)


W1, B1, W2, B2 = weights(6, 5), weights(5), weights(5, 3), weights(3)


@script(default_opset=opset18)
def network(x: FLOAT["N", 6], w1: FLOAT[6, 5], b1: FLOAT[5], w2: FLOAT[5, 3], b2: FLOAT[3]) -> FLOAT["N", 3]:
    h = block(x, w1, b1, slope=0.3)
    h = leaky(h)
    y = dense(h, w2, b2)
    return y


def stored(model, **values):
    """The inputs of these names as initializers."""
    inputs = [value for value in model.graph.input if value.name not in values]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())
    return model


model = stored(network.to_model_proto(), w1=W1, b1=B1, w2=W2, b2=B2)
assert len(model.functions) == 3
save(__file__, "onnxscript", model, {"x": X}, LABELS, ["w1", "b1", "w2", "b2"])


# onnx.helper: overloads, a function inside a branch and a branch inside a function, values of equal names in functions and
# outside, results that are arguments or that nobody wants, an omitted argument.
def function(name, inputs, outputs, nodes, attributes=(), **options):
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, inputs, outputs, nodes, imports, attributes, **options)


def by_reference(node, name, of, kind):
    node.attribute.append(onnx.AttributeProto(name=name, ref_attr_name=of, type=kind))
    return node


def value(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def branches():
    yes = helper.make_graph([helper.make_node("Tanh", ["h"], ["t"])], "yes", [], [value("t")])
    no = helper.make_graph([helper.make_node("Neg", ["h"], ["n"])], "no", [], [value("n")])
    return {"then_branch": yes, "else_branch": no}


rows = by_reference(helper.make_node("Constant", [], ["rows"]), "value_int", "wanted", onnx.AttributeProto.INT)
functions = [
    function(
        "act",
        ["h"],
        ["r", "h", "h2"],
        [
            helper.make_node("Shape", ["h"], ["s"]),
            helper.make_node("Size", ["s"], ["z"]),
            rows,
            helper.make_node("Equal", ["z", "rows"], ["c"]),
            helper.make_node("If", ["c"], ["r"], **branches()),
            helper.make_node("Mul", ["h", "h"], ["h2"]),
        ],
        ["wanted"],
    ),
    function("layer", ["x", "w"], ["y"], [helper.make_node("MatMul", ["x", "w"], ["y"])], overload="plain"),
    function(
        "layer",
        ["x", "w", "b", "most"],
        ["y"],
        [
            helper.make_node("layer", ["x", "w"], ["t"], domain="own", overload="plain"),
            helper.make_node("Add", ["t", "b"], ["s"]),
            helper.make_node("Clip", ["s", "", "most"], ["y"]),
        ],
        overload="biased",
    ),
]
yes = helper.make_graph(
    [helper.make_node("act", ["h"], ["a", "same"], domain="own", wanted=2)], "yes", [], [value("a")]
)
no = helper.make_graph([helper.make_node("act", ["h"], ["k"], domain="own", wanted=3)], "no", [], [value("k")])
graph = helper.make_graph(
    [
        helper.make_node("layer", ["x", "w"], ["h"], domain="own", overload="plain", name="first"),
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["c"], ["s"], then_branch=yes, else_branch=no),
        helper.make_node("layer", ["s", "v", "b"], ["t"], domain="own", overload="biased"),
        helper.make_node("act", ["t"], ["r", "y"], domain="own", wanted=2),
    ],
    "own",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 6])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
    [
        numpy_helper.from_array(array, name)
        for name, array in {"w": weights(6, 4), "v": weights(4, 3), "b": weights(3)}.items()
    ],
)
imports = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
model = helper.make_model(graph, functions=functions, opset_imports=imports, ir_version=10)
onnx.checker.check_model(model)
save(__file__, "helper", model, {"x": X}, LABELS, ["w", "v", "b"])
