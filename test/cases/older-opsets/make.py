"""Networks in opsets 7 to 12, with ops whose form has changed since.

    python test/cases/older-opsets/make.py
"""

import sys
from pathlib import Path

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper, version_converter
from torch import nn

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "goldens")]
from exporting import export, remove_metadata
from oracle import save

random = np.random.default_rng(9)
X = random.standard_normal((4, 2, 4, 4)).astype(np.float32)
LABELS = [0, 2, 1, 2]


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(9, 3)
        self.grows = True
        # Not the numbers of another tensor, with which the exporter would store it as one.
        self.norm.running_mean[:] = torch.tensor([0.1, -0.2, 0.3, 0.2])
        self.norm.running_var[:] = torch.tensor([0.5, 1.5, 0.9, 1.2])

    def forward(self, x):
        h = self.norm(self.conv(nn.functional.pad(x, (1, 0, 0, 1))))
        a, b = torch.clamp(h, -0.8, 0.9).split([1, 3], dim=1)
        h = torch.softmax(a, 2).squeeze(1) * b.sum(1)
        h = h.unsqueeze(1)
        # Opset 9 has no steps, and Upsample as the exporter does not write it for open batches.
        if self.grows:
            h = nn.functional.interpolate(h, scale_factor=2.0, mode="nearest")[:, :, 1:9:3, ::4].mean(1)
        else:
            h = h[:, :, 1:4, 1:4].mean(1)
        return self.head(self.drop(h.flatten(1)))


torch.manual_seed(10)
network = Network().eval()


def parameters_of(model):
    running = {name for node in model.graph.node if node.op_type == "BatchNormalization" for name in node.input[3:]}
    floats = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and len(t.dims) > 0]
    settings = {name for node in model.graph.node if node.op_type in ("Resize", "Upsample") for name in node.input[1:]}
    return [t.name for t in floats if t.name not in running | settings]


def of(module):
    """Logits by PyTorch, in float64, of a module's parameters."""

    def logits(values, inputs):
        tensors = {name: torch.tensor(value) for name, value in values.items()}
        buffers = {name: buffer.double() for name, buffer in module.named_buffers() if buffer.is_floating_point()}
        x = torch.tensor(inputs["x"]).double()
        return torch.func.functional_call(module, {**tensors, **buffers}, x).detach().numpy()

    return logits


for opset in (9, 10, 11, 12):
    options = {"training": torch.onnx.TrainingMode.PRESERVE} if opset in (10, 12) else {}
    network.grows = opset > 9
    model = export(network, {"x": torch.tensor(X)}, "y", opset, False, do_constant_folding=False, **options)
    remove_metadata(model)
    save(__file__, f"torchscript{opset}", model, {"x": X}, LABELS, parameters_of(model), function=of(network))

# As ONNX's own converter brings a newer file down.
sequence = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(8, 4), nn.Softmax(1), nn.Linear(4, 3)).eval()
model = export(sequence, {"x": torch.tensor(X)}, "y", 9, False)
model = version_converter.convert_version(model, 8)
remove_metadata(model)
save(__file__, "converted8", model, {"x": X}, LABELS, parameters_of(model), function=of(sequence))

# onnx.helper: opset 7 as files of its time are, whose initializers are inputs as well.
stored = {
    "k": random.standard_normal((3, 2, 3, 3)) / 3,
    "w": random.standard_normal((12, 3)) / 3,
    "scale": random.standard_normal(3),
    "b": random.standard_normal(3),
    "mean": random.standard_normal(3) / 5,
    "var": np.array([0.5, 1.5, 0.9]),
}
tensors = [numpy_helper.from_array(value.astype(np.float32), key) for key, value in stored.items()]
graph = helper.make_graph(
    [
        helper.make_node("Pad", ["x"], ["p"], pads=[0, 0, 1, 0, 0, 0, 0, 1], value=0.25),
        helper.make_node("Conv", ["p", "k"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "scale", "b", "mean", "var"], ["n"], spatial=1),
        helper.make_node("Clip", ["n"], ["l"], max=0.9),
        helper.make_node("Softmax", ["l"], ["s"]),
        helper.make_node("Upsample", ["s"], ["u"], scales=[1.0, 1.0, 2.0, 2.0], mode="linear"),
        helper.make_node("Slice", ["u"], ["t"], axes=[2, 3], starts=[1, -3], ends=[5, 9999]),
        helper.make_node("ReduceSum", ["t"], ["r"], axes=[3], keepdims=1),
        helper.make_node("Squeeze", ["r"], ["q"], axes=[3]),
        helper.make_node("Unsqueeze", ["q"], ["e"], axes=[0]),
        helper.make_node("Squeeze", ["e"], ["e2"], axes=[0]),
        helper.make_node("Split", ["e2"], ["s1", "s2"], axis=1, split=[1, 2]),
        helper.make_node("Concat", ["s2", "s1"], ["j"], axis=1),
        helper.make_node("Dropout", ["j"], ["d"], ratio=0.5),
        helper.make_node("Flatten", ["d"], ["f"]),
        helper.make_node("TopK", ["f"], ["top", "places"], k=12),
        helper.make_node("MatMul", ["top", "w"], ["y"]),
    ],
    "old",
    [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, 4, 4]),
        *(helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in tensors),
    ],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
    tensors,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=3)


def old(values, inputs):
    k, w, scale, b = (torch.tensor(values[name]) for name in ("k", "w", "scale", "b"))
    mean, var = (torch.tensor(stored[name].astype(np.float32)).double() for name in ("mean", "var"))
    h = nn.functional.pad(torch.tensor(inputs["x"]).double(), (0, 1, 1, 0), value=0.25)
    h = nn.functional.batch_norm(nn.functional.conv2d(h, k), mean, var, scale, b)
    h = torch.softmax(h.clamp(max=0.9).flatten(1), 1).reshape(h.shape)
    # Corners of the pixels above and to the left, and the last one again: weights of ½ between neighbours.
    for axis in (2, 3):
        after = h.narrow(axis, 1, h.shape[axis] - 1)
        after = torch.cat([after, h.narrow(axis, h.shape[axis] - 1, 1)], axis)
        h = torch.stack([h, (h + after) / 2], axis + 1).flatten(axis, axis + 1)
    h = h[:, :, 1:5, -3:].sum(3)
    h = torch.cat([h[:, 1:], h[:, :1]], 1).flatten(1)
    return (h.sort(1, descending=True).values @ w).numpy()


save(__file__, "helper7", model, {"x": X}, LABELS, ["k", "w", "scale", "b"], function=old)

# Slices "to the end": the largest whole number as an attribute.
class Tail(nn.Module):
    def __init__(self, take):
        super().__init__()
        self.take, self.mix, self.head = take, nn.Linear(4, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.head(self.take(torch.tanh(self.mix(x[:, 0]))))


for name, take in [("last", lambda h: h[:, -1]), ("tail", lambda h: h[:, 1:, -3:].mean(1))]:
    tail = Tail(take).eval()
    model = export(tail, {"x": torch.tensor(X)}, "y", 9, False, do_constant_folding=False)
    remove_metadata(model)
    save(__file__, f"{name}-torchscript9", model, {"x": X}, LABELS, parameters_of(model), function=of(tail))

kernel = numpy_helper.from_array(random.standard_normal((16, 3)).astype(np.float32), "w")
graph = helper.make_graph(
    [
        helper.make_node("Slice", ["x"], ["s"], axes=[2, 3], starts=[-(2**63), 1], ends=[2**63 - 1, 2**63 - 1]),
        helper.make_node("Pad", ["s"], ["p"], pads=[0, 0, 0, 1, 0, 0, 0, 0]),
        helper.make_node("ReduceSum", ["p"], ["r"], axes=[1], keepdims=0),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ],
    "ends",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, 4, 4])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
    [kernel],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)


def ends(values, inputs):
    h = torch.tensor(inputs["x"]).double()[:, :, :, 1:]
    return (nn.functional.pad(h, (1, 0)).sum(1).flatten(1) @ torch.tensor(values["w"])).numpy()


save(__file__, "ends-helper9", model, {"x": X}, LABELS, ["w"], function=ends)
