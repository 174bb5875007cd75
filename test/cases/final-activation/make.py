"""Models that end in Softmax, LogSoftmax or Sigmoid, with losses and gradients of the value before it by PyTorch in float64.

    python test/cases/final-activation/make.py

From PyTorch's two exporters, onnx.helper and skl2onnx. The golden holds inputs, targets, the
mean loss of the value before the activation, and the gradient by stored tensor.
"""

import contextlib
import io
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

sys.path.append(str(Path(__file__).parents[2] / "goldens"))
from exporting import remove_metadata

warnings.filterwarnings("ignore")
FOLDER = Path(__file__).parent
BATCH = 6


def tensor(value):
    value = torch.as_tensor(value).detach()
    kind = {} if value.is_floating_point() else {"dtype": "int64"}
    data = [float(f"{x:.9g}") if kind == {} else int(x) for x in value.flatten().tolist()]
    return {"shape": list(value.shape), "data": data, **kind}


def save(name, model, logits, parameters, inputs, target, loss, op):
    """`logits`: function of the parameters and the inputs, both in float64, with the classes on axis 1."""
    remove_metadata(model, ["pkg.torch.export.graph_signature.InputSpec.kind"])
    content = model.SerializeToString()
    assert b".py" not in content, f"{name} holds a path"
    (FOLDER / f"{name}.onnx").write_bytes(content)
    wide = {key: torch.as_tensor(value).detach().double().requires_grad_() for key, value in parameters.items()}
    function = F.cross_entropy if loss == "cross-entropy" else F.binary_cross_entropy_with_logits
    values = logits(wide, torch.as_tensor(inputs).double())
    value = function(values, target if loss == "cross-entropy" else target.double().reshape(values.shape))
    value.backward()
    entry = {
        "loss": loss,
        "op": op,
        "input": tensor(inputs),
        "target": tensor(target),
        "value": value.item(),
        "gradients": {key: tensor(parameter.grad) for key, parameter in wide.items()},
    }
    (FOLDER / f"{name}.golden.json").write_text(json.dumps(entry, separators=(",", ":")) + "\n")
    print(name, entry["value"], len(content), "bytes", [node.op_type for node in model.graph.node])


def by_dynamo(module, inputs):
    shapes = ({0: torch.export.Dim("batch", min=2)},)
    with contextlib.redirect_stdout(io.StringIO()):
        return torch.onnx.export(module, (inputs,), dynamo=True, dynamic_shapes=shapes, optimize=False, verbose=False).model_proto


def by_torchscript(module, inputs):
    file = io.BytesIO()
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "batch"}, "y": {0: "batch"}}}
    torch.onnx.export(module, (inputs,), file, dynamo=False, do_constant_folding=False, **names)
    return onnx.load_from_string(file.getvalue())


def by_helper(nodes, stored, inputs, output):
    value = lambda key, shape: helper.make_tensor_value_info(key, TensorProto.FLOAT, shape)
    tensors = [numpy_helper.from_array(np.asarray(v), key) for key, v in stored.items()]
    made = [helper.make_node(op, read, [written], name=f"{op}-{written}", **options) for op, read, written, options in nodes]
    graph = helper.make_graph(made, "model", [value("x", ["N", *inputs.shape[1:]])], [value("y", output)], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


class Network(nn.Module):
    def __init__(self, outputs, end):
        super().__init__()
        self.first, self.second, self.end = nn.Linear(4, 5), nn.Linear(5, outputs), end

    def forward(self, x):
        return self.end(self.second(torch.tanh(self.first(x))))


class Pixels(nn.Module):
    """[N, 2, 3, 4] to probabilities [N, 3, 4, classes], normalized over axis 1 before they are moved."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 5, 1)

    def forward(self, x):
        return torch.softmax(self.first(x), 1).permute(0, 2, 3, 1)


def main():
    torch.manual_seed(5)
    random = np.random.default_rng(5)
    vectors = torch.randn(BATCH, 4)
    classes = torch.tensor([2, 0, 1, 2, -100, 1])
    truth = torch.tensor([1.0, 0, 0, 1, 0.25, 1])
    network = lambda p, x: torch.tanh(x @ p["first.weight"].T + p["first.bias"]) @ p["second.weight"].T + p["second.bias"]
    parameters = lambda module: dict(module.named_parameters())

    module = Network(3, nn.Softmax(1))
    save("softmax-torchscript", by_torchscript(module, vectors), network, parameters(module), vectors, classes, "cross-entropy", "Softmax")
    module = Network(3, nn.LogSoftmax(-1))
    save("log-softmax-dynamo", by_dynamo(module, vectors), network, parameters(module), vectors, classes, "cross-entropy", "LogSoftmax")
    module = Network(1, nn.Sequential(nn.Sigmoid(), nn.Flatten(0)))
    save("sigmoid-dynamo", by_dynamo(module, vectors), network, parameters(module), vectors, truth, "binary-cross-entropy", "Sigmoid")
    module, pixels = Pixels(), torch.randn(BATCH, 2, 3, 4)
    at = torch.randint(0, 5, (BATCH, 3, 4))
    convolve = lambda p, x: F.conv2d(x, p["first.weight"], p["first.bias"])
    save("pixels-torchscript", by_torchscript(module, pixels), convolve, parameters(module), pixels, at, "cross-entropy", "Softmax")

    weight = random.standard_normal((4, 3)).astype(np.float32)
    shape = np.array([0, 1, 3, 1], dtype=np.int64)
    axes = np.array([1, 3], dtype=np.int64)
    nodes = [
        ("MatMul", ["x", "weight"], "z", {}),
        ("Softmax", ["z"], "p", {"axis": 1}),
        ("Identity", ["p"], "q", {}),
        ("Reshape", ["q", "shape"], "r", {}),
        ("Squeeze", ["r", "axes"], "y", {}),
    ]
    stored = {"weight": weight, "shape": shape, "axes": axes}
    save("softmax-reshaped-helper", by_helper(nodes, stored, vectors, ["N", 3]), lambda p, x: x @ p["weight"], {"weight": weight}, vectors, classes, "cross-entropy", "Softmax")
    column = random.standard_normal((4, 1)).astype(np.float32)
    nodes = [("MatMul", ["x", "weight"], "z", {}), ("Sigmoid", ["z"], "y", {})]
    save("sigmoid-helper", by_helper(nodes, {"weight": column}, vectors, ["N", 1]), lambda p, x: x @ p["weight"], {"weight": column}, vectors, truth, "binary-cross-entropy", "Sigmoid")

    # Softmax over the positions, not the classes: an attention of its own, which stays.
    pairs = torch.randn(BATCH, 3, 4)
    nodes = [("MatMul", ["x", "weight"], "z", {}), ("Softmax", ["z"], "y", {"axis": 1})]
    wide = random.standard_normal((4, 5)).astype(np.float32)
    at = torch.randint(0, 5, (BATCH, 3))
    over = lambda p, x: torch.softmax(x @ p["weight"], 1).transpose(1, 2)
    save("other-axis-helper", by_helper(nodes, {"weight": wide}, pairs, ["N", 3, 5]), over, {"weight": wide}, pairs, at, "cross-entropy", "")

    sklearn()


def sklearn():
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier

    random = np.random.default_rng(3)
    x = random.standard_normal((60, 4)).astype(np.float32)
    y = np.argmax(x[:, :3], axis=1)
    model = MLPClassifier((5,), activation="tanh", max_iter=3, random_state=1).fit(x, y)
    proto = to_onnx(model, x[:1], options={"zipmap": False}, target_opset=17)
    names = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    floats = {key: value for key, value in names.items() if value.dtype == np.float32 and value.ndim > 0}
    keys = list(floats)
    logits = lambda p, at: torch.tanh(at @ p[keys[0]] + p[keys[1]]) @ p[keys[2]] + p[keys[3]]
    inputs, target = torch.tensor(x[:BATCH]), torch.tensor(y[:BATCH])
    save("softmax-sklearn", proto, logits, floats, inputs, target, "cross-entropy", "Softmax")


main()
