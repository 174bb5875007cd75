"""Losses and gradients of small ONNX files that do not depend on this project: the reference implementation of the ONNX
standard runs the file as it is, in float64, and central differences give the gradient.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.inliner import inline_local_functions
from onnx.reference import ReferenceEvaluator

STEP = 1e-5


def save(folder, name, model, inputs, labels, parameters, output=None, function=None):
    """Writes <name>.onnx, and its loss (mean cross-entropy) and gradients to <name>.golden.json.

    inputs: name → array; labels: class numbers; parameters: names of initializers, or of outputs of
    Constant nodes (of a function: domain.function/name); function: of the parameters' values, by name, and the inputs,
    to the logits, instead of the reference implementation, which does not know all forms of old opsets.
    """
    folder = Path(folder).parent
    onnx.save_model(model, folder / f"{name}.onnx")
    output = output or model.graph.output[0].name
    model = reduced(model, output)
    values, run = wide(model, parameters)
    function = function or (lambda changed, fed: run(changed, fed, output))

    def loss(changed):
        return loss_of(function(changed, inputs), labels)

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
    # ONNX Runtime takes no results of functions that are arguments.
    session = onnxruntime.InferenceSession(inlined(model).SerializeToString())
    base, (logits,) = loss(values), session.run([output], inputs)
    assert abs(loss_of(logits.astype(np.float64), labels) - base) < 1e-4 * abs(base), "ONNX Runtime disagrees"
    golden = {
        "inputs": {key: tensor(value) for key, value in inputs.items()},
        "labels": [int(label) for label in labels],
        "output": output,
        "loss": base,
        "gradients": gradients,
    }
    (folder / f"{name}.golden.json").write_text(json.dumps(golden) + "\n")
    size = (folder / f"{name}.onnx").stat().st_size
    print(f"{name}: {size} bytes, loss {golden['loss']:.6f}, {list(gradients)}")


def reduced(model, output):
    """What computes the output alone, with open dimensions as ONNX Runtime takes them."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    needed, kept = {output}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.insert(0, node)
            inside = [each for attribute in node.attribute for each in attribute.g.node]
            needed.update(node.input, *(each.input for each in inside))
    del model.graph.node[:], model.graph.output[:]
    model.graph.node.extend(kept)
    model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value == 0 and not dim.dim_param:
                dim.Clear()
    return model


def loss_of(logits, labels):
    logits = logits.reshape(len(labels), -1)
    top = logits.max(axis=1, keepdims=True)
    logsum = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return float((logsum - logits[np.arange(len(labels)), labels]).mean())


def tensor(value):
    dtype = {"float32": {}, "int64": {"dtype": "int64"}, "bool": {"dtype": "bool"}}[str(value.dtype)]
    return {"shape": list(value.shape), "data": rounded(value.flatten()), **dtype}


def rounded(values):
    return [float(f"{value:.9g}") for value in np.asarray(values).flatten()]


def wide(model, parameters):
    """Values of the parameters in float64, and a function of them and of inputs that runs the model in float64."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    widen_graph(copy.graph)
    for node in [node for function in copy.functions for node in function.node]:
        widen_node(node)
    stored = {t.name: t for t in copy.graph.initializer}
    owners = [("", copy.graph), *((f"{f.domain}.{f.name}/", f) for f in copy.functions)]
    for place, owner in owners:
        for node in owner.node:
            if node.op_type == "Constant" and node.attribute[0].HasField("t"):
                stored[place + node.output[0]] = node.attribute[0].t
    values = {name: numpy_helper.to_array(stored[name]).copy() for name in parameters}

    def run(changed, inputs, output):
        for name, value in changed.items():
            stored[name].raw_data = value.tobytes()
        evaluator = ReferenceEvaluator(inlined(copy) if copy.functions else copy)
        feeds = {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in inputs.items()}
        return evaluator.run([output], feeds)[0]

    return values, run


def inlined(model):
    """By ONNX's own inliner, which knows no default attributes and no results that are arguments."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    functions = {(f.domain, f.name, f.overload): f for f in model.functions}

    def complete(nodes):
        for node in nodes:
            called = functions.get((node.domain, node.op_type, node.overload))
            given = {attribute.name for attribute in node.attribute}
            if called:
                node.attribute.extend(each for each in called.attribute_proto if each.name not in given)
            for attribute in node.attribute:
                complete(attribute.g.node)

    complete(model.graph.node)
    for function in functions.values():
        complete(function.node)
        for place, name in enumerate(function.output):
            if name in function.input:
                function.node.append(helper.make_node("Identity", [name], [f"{name} again"]))
                function.output[place] = f"{name} again"
    for function in functions.values():
        function.attribute.extend(each.name for each in function.attribute_proto)
        del function.attribute_proto[:]
    return inline_local_functions(model)


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
