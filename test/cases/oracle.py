"""Losses and gradients of small ONNX files that do not depend on this project: the reference implementation of the ONNX
standard runs the file as it is, in float64, and central differences give the gradient.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

STEP = 1e-5


def save(folder, name, model, inputs, labels, parameters, output=None, **more):
    """Writes <name>.onnx, and its loss (mean cross-entropy) and gradients to <name>.golden.json.

    inputs: name → array; labels: class numbers; parameters: names of initializers, or of outputs of Constant nodes
    of the graph or (function, name) of one of its functions.
    """
    folder = Path(folder).parent
    onnx.save_model(model, folder / f"{name}.onnx")
    values, function = wide(model, parameters)
    output = output or model.graph.output[0].name

    def loss(changed):
        logits = function(changed, inputs, output)
        logits = logits.reshape(len(labels), -1)
        top = logits.max(axis=1, keepdims=True)
        logsum = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
        return float((logsum - logits[np.arange(len(labels)), labels]).mean())

    gradients = {}
    for name_, value in values.items():
        gradient = np.zeros(value.size)
        for place in range(value.size):
            moved = []
            for sign in (1, -1):
                other = value.copy()
                other.flat[place] += sign * STEP
                moved.append(loss({**values, name_: other}))
            gradient[place] = (moved[0] - moved[1]) / (2 * STEP)
        gradients[name_] = {"shape": list(value.shape), "data": rounded(gradient)}
    golden = {
        "inputs": {key: tensor(value) for key, value in inputs.items()},
        "labels": [int(label) for label in labels],
        "output": output,
        "loss": loss(values),
        "gradients": gradients,
        **more,
    }
    (folder / f"{name}.golden.json").write_text(json.dumps(golden) + "\n")
    size = (folder / f"{name}.onnx").stat().st_size
    print(f"{name}: {size} bytes, loss {golden['loss']:.6f}, {list(gradients)}")


def tensor(value):
    dtype = {"float32": {}, "int64": {"dtype": "int64"}}[str(value.dtype)]
    return {"shape": list(value.shape), "data": rounded(value.flatten()), **dtype}


def rounded(values):
    return [float(f"{value:.9g}") for value in np.asarray(values).flatten()]


def wide(model, parameters):
    """Values of the parameters in float64, and a function of them and of inputs that runs the model in float64."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    widen_graph(copy.graph)
    for function in copy.functions:
        for node in function.node:
            widen_node(node)
    stored = {t.name: t for t in copy.graph.initializer}
    for owner in [copy.graph, *copy.functions]:
        for node in owner.node:
            if node.op_type == "Constant":
                stored[node.output[0]] = node.attribute[0].t
    values = {name: numpy_helper.to_array(stored[name]).copy() for name in parameters}

    def run(changed, inputs, output):
        for name, value in changed.items():
            stored[name].raw_data = value.tobytes()
        evaluator = ReferenceEvaluator(copy)
        feeds = {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in inputs.items()}
        return evaluator.run([output], feeds)[0]

    return values, run


def widen_graph(graph):
    for value in [*graph.input, *graph.output]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    del graph.value_info[:]
    for initializer in graph.initializer:
        widen_tensor(initializer)
    for node in graph.node:
        widen_node(node)


def widen_node(node):
    for attribute in node.attribute:
        if attribute.HasField("t"):
            widen_tensor(attribute.t)
        if attribute.HasField("g"):
            widen_graph(attribute.g)
        if attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.DOUBLE
        if node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
            numbers = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(np.array(numbers, np.float64))))


def widen_tensor(stored):
    if stored.data_type == TensorProto.FLOAT:
        name, values = stored.name, numpy_helper.to_array(stored).astype(np.float64)
        stored.CopyFrom(numpy_helper.from_array(values, name))


def clear_unset(message):
    """Removes every optional field that says nothing: those that hold their default, names and documentation."""
    for field, value in list(message.ListFields()):
        repeated = hasattr(value, "extend")
        if field.name in ("doc_string", "producer_name", "producer_version", "metadata_props"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for each in value if repeated else [value]:
                clear_unset(each)
        elif not repeated and not field.containing_oneof and not isinstance(message, onnx.AttributeProto):
            if value == field.default_value:
                message.ClearField(field.name)
    if isinstance(message, onnx.NodeProto):
        message.ClearField("name")
        message.ClearField("domain")
    if isinstance(message, onnx.GraphProto):
        del message.value_info[:]
