"""PyTorch's two exporters, as export.py and zoo.py use them."""

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

from golden import FOLDER

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")


def export(module, inputs, output, opset, dynamo, axes=None, **options):
    """The ONNX model of a module.

    inputs: name → example, in the order of forward's arguments; axes: input name → {axis: name}, the open dimensions
    (default: the first axis of each input); the first axis of the output is open too.
    """
    axes = axes or {name: {0: "batch"} for name in inputs}
    dimensions = {label: torch.export.Dim(label) for each in axes.values() for label in each.values()}
    shapes = tuple({axis: dimensions[label] for axis, label in axes[name].items()} for name in inputs)
    opened = {"dynamic_shapes": shapes} if dynamo else {"dynamic_axes": {**axes, output: {0: "batch"}}}
    names = {"input_names": list(inputs), "output_names": [output]}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "model.onnx"
        arguments = {"opset_version": opset, "dynamo": dynamo, **names, **opened, **options}
        torch.onnx.export(module, tuple(inputs.values()), path, **arguments)
        model = onnx.load(path)
    found = model.opset_import[0].version
    assert found == opset, f"asked for opset {opset}, got {found}"
    return model


def optimized(model, how):
    """The model as ONNX Runtime's optimizers write it.

    how: "extended" for what a session does to it at that level, or the kind of model for the optimizer of transformers
    with the numbers of heads and of hidden units: "bert 2 8"
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        if how == "extended":
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
            options.optimized_model_filepath = str(path)
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        else:
            kind, heads, hidden = how.split()
            settings = FusionOptions(kind)
            settings.use_raw_attention_mask(True)  # others are right for masks of ones followed by zeros alone
            sizes = {"num_heads": int(heads), "hidden_size": int(hidden)}
            fused = optimizer.optimize_model(model, kind, **sizes, optimization_options=settings, opt_level=0)
            fused.save_model_to_file(str(path))
        model = onnx.load(path)
    # A session lists all domains that it knows.
    used = [each for each in model.opset_import if each.domain in {"", *(node.domain for node in model.graph.node)}]
    model.ClearField("opset_import")
    model.opset_import.extend(used)
    return model


def quantized(model, how):
    """The model as ONNX Runtime's tools quantize its weights.

    how: "nbits" for MatMulNBits in blocks of 16, with a zero point each ("nbits symmetric": without), "rows" for
    embeddings in 8 bits
    """
    if how.startswith("nbits"):
        symmetric = how == "nbits symmetric"
        tool = MatMulNBitsQuantizer(model, bits=4, block_size=16, is_symmetric=symmetric, accuracy_level=0)
        tool.process()
        return tool.model.model
    with tempfile.TemporaryDirectory() as folder:
        given, path = Path(folder) / "given.onnx", Path(folder) / "model.onnx"
        onnx.save(model, given)
        quantize_dynamic(given, path, op_types_to_quantize=["Gather"])
        return onnx.load(path)


def dequantized(model):
    """The float matrices that quantized weights stand for, by the output of the node that reads them."""
    stored = {each.name: each for each in model.graph.initializer}
    outputs = {}
    for node in model.graph.node:
        if node.op_type == "MatMulNBits":  # the product with the identity
            width = next(each.i for each in node.attribute if each.name == "K")
            given, inputs = np.eye(width, dtype=np.float32), [node.input[0]]
        elif node.op_type == "DequantizeLinear":  # of the matrix, or of rows that were looked up in it
            lookup = next((each for each in model.graph.node if node.input[0] in each.output), node)
            if lookup.input[0] not in stored:
                continue
            given, inputs = None, []
            node = onnx.helper.make_node(node.op_type, [lookup.input[0], *node.input[1:]], node.output)
        else:
            continue
        value = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        parts = [stored[name] for name in node.input if name in stored]
        graph = onnx.helper.make_graph([node], "weight", [value(name) for name in inputs], [value(node.output[0])], parts)
        single = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=10)
        session = onnxruntime.InferenceSession(single.SerializeToString())
        (outputs[node.output[0]],) = session.run(None, {name: given for name in inputs})
    return outputs


def remove_metadata(model, keep=()):
    """Stack traces and the like, because they hold paths of this machine; entries with the keys of `keep` stay."""
    graph = model.graph
    parts = [graph.node, graph.value_info, graph.initializer, graph.input, graph.output]
    for item in [model, graph, *(item for part in parts for item in part)]:
        kept = [entry for entry in item.metadata_props if entry.key in keep]
        item.ClearField("metadata_props")
        item.metadata_props.extend(kept)
        item.ClearField("doc_string")


def save(folder, name, model, external, threshold=0):
    """Writes <name>.onnx, and its tensors from so many bytes on to <name>.onnx.data if external."""
    path, data = folder / f"{name}.onnx", f"{name}.onnx.data"
    if external:
        (folder / data).unlink(missing_ok=True)
        copy = onnx.ModelProto()  # saving moves the data out of the message
        copy.CopyFrom(model)
        onnx.save_model(copy, path, save_as_external_data=True, location=data, size_threshold=threshold)
    else:
        onnx.save_model(model, path)
    files = [path, folder / data] if external else [path]
    for file in files:
        content = file.read_bytes()
        assert b".py" not in content, f"{file.name} holds a path"
        print(f"{file.relative_to(FOLDER)}: {len(content)} bytes")
    return path


def single(values):
    """float32 of floats, as the exporters want them."""
    return values.float() if values.is_floating_point() else values
