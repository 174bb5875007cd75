"""Models whose targets have every rank, made by PyTorch's two exporters and by onnx.helper, with losses and gradients by
PyTorch in float64.

    python test/cases/targets/make.py

A golden holds inputs and targets of one batch, the mean loss over what counts (reduction="mean"), each example's share of
it (times the batch size), and the gradient by stored tensor.
"""

import copy
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
IGNORED = -100


def tensor(value):
    value = value.detach()
    kind = {} if value.is_floating_point() else {"dtype": "int64"}
    data = [float(f"{x:.9g}") if kind == {} else int(x) for x in value.flatten().tolist()]
    return {"shape": list(value.shape), "data": data, **kind}


def losses(name, prediction, target, smoothing=0.0):
    """One for each example: their mean is the loss."""
    if name == "cross-entropy":
        each = F.cross_entropy(prediction, target, reduction="none", label_smoothing=smoothing)
        mean = F.cross_entropy(prediction, target, label_smoothing=smoothing)
        parts = each.flatten(1).sum(1) if each.dim() > 1 else each
        parts = parts * len(target) / (target != IGNORED).sum()
    else:
        function = {"mean-squared-error": F.mse_loss, "binary-cross-entropy": F.binary_cross_entropy_with_logits}[name]
        each = function(prediction, target, reduction="none")
        mean = function(prediction, target)
        parts = each.flatten(1).mean(1) if each.dim() > 1 else each
    torch.testing.assert_close(parts.mean(), mean)
    return parts


def golden(name, module, inputs, target, loss, classes_last=False, given=None, **options):
    """`given`: the shape in which the data hold the targets."""
    wide = copy.deepcopy(module).double()
    prediction = wide(inputs.double() if inputs.is_floating_point() else inputs)
    shape = list(prediction.shape)
    if classes_last:
        prediction = prediction.movedim(-1, 1)
    wanted = target.double() if target.is_floating_point() else target
    parts = losses(loss, prediction, wanted.reshape(prediction.shape) if target.is_floating_point() else wanted, **options)
    parts.mean().backward()
    entry = {
        "loss": loss,
        **options,
        "input": tensor(inputs),
        "target": tensor(target.reshape(given or target.shape)),
        "output": shape,
        "value": parts.mean().item(),
        "losses": tensor(parts),
        "gradients": {key: tensor(value.grad) for key, value in wide.named_parameters()},
    }
    (FOLDER / f"{name}.golden.json").write_text(json.dumps(entry, separators=(",", ":")) + "\n")
    # The batch twice, as NumPy saves it.
    twice = lambda value: np.concatenate([value.numpy()] * 2)
    if loss == "cross-entropy" and inputs.dim() != 3:
        np.savez_compressed(FOLDER / f"{name}.npz", x=twice(inputs), y=twice(target.reshape(given or target.shape)))
    print(name, shape, entry["value"], (FOLDER / f"{name}.onnx").stat().st_size, "bytes")


def by_dynamo(name, module, inputs):
    batch = torch.export.Dim("batch", min=2)
    program = torch.onnx.export(module, (inputs,), dynamo=True, dynamic_shapes=({0: batch},), optimize=False, verbose=False)
    model = program.model_proto
    remove_metadata(model, ["pkg.torch.export.graph_signature.InputSpec.kind"])
    onnx.save_model(model, FOLDER / f"{name}.onnx")


def by_torchscript(name, module, inputs):
    file = io.BytesIO()
    axes = {"x": {0: "batch"}, "y": {0: "batch"}}
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": axes}
    torch.onnx.export(module, (inputs,), file, dynamo=False, do_constant_folding=False, **names)
    (FOLDER / f"{name}.onnx").write_bytes(file.getvalue())


def by_helper(name, nodes, module, inputs, output):
    value = lambda key, shape: helper.make_tensor_value_info(key, TensorProto.FLOAT, shape)
    stored = [numpy_helper.from_array(v.detach().numpy(), key) for key, v in module.named_parameters()]
    extra = [numpy_helper.from_array(np.array(v, dtype=np.int64), key) for key, v in nodes["constants"].items()]
    made = [helper.make_node(*node[:3], **node[3]) for node in nodes["nodes"]]
    graph = helper.make_graph(made, name, [value("x", ["N", *inputs.shape[1:]])], [value("y", output)], stored + extra)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save_model(model, FOLDER / f"{name}.onnx")


class Shaped(nn.Module):
    """A linear layer whose output takes another shape."""

    def __init__(self, columns, rows, shape):
        super().__init__()
        self.first, self.second, self.shape = nn.Linear(columns, 4), nn.Linear(4, rows), shape

    def forward(self, x):
        return self.second(torch.tanh(self.first(x))).reshape(-1, *self.shape)


class Squeezed(Shaped):
    def forward(self, x):
        return self.second(torch.tanh(self.first(x))).squeeze(1)


class Picture(nn.Module):
    """[N, channels, 4, 5] to [N, outputs, 4, 5]."""

    def __init__(self, outputs, first=None):
        super().__init__()
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.second = nn.Conv2d(3, outputs, 1)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


class Single(Picture):
    """Without the channel: [N, 4, 5]."""

    def forward(self, x):
        return super().forward(x).squeeze(1)


class Tagger(nn.Module):
    """Tokens [N, T] to logits [N, T, classes]."""

    def __init__(self, classes):
        super().__init__()
        self.table, self.first, self.second = nn.Embedding(7, 3), nn.Linear(3, 4), nn.Linear(4, classes)

    def forward(self, tokens):
        return self.second(torch.tanh(self.first(self.table(tokens))))


class Series(nn.Module):
    """[N, 2, T] to logits [N, classes, T]."""

    def __init__(self, classes):
        super().__init__()
        self.first, self.second = nn.Conv1d(2, 3, 3, padding=1), nn.Conv1d(3, classes, 1)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


class ClassesLast(nn.Module):
    """[N, 4, 5, 2] to logits [N, 4, 5, classes], as Keras has it."""

    def __init__(self, classes):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(2, classes)), nn.Parameter(torch.randn(classes))

    def forward(self, x):
        return x @ self.weight + self.bias


class Column(nn.Module):
    """[N, 4] to [N, 1, 1]."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 1))

    def forward(self, x):
        return (x @ self.weight)[:, :, None]


def main():
    torch.manual_seed(11)
    batch = 6
    vectors = torch.randn(batch, 4)
    numbers = torch.randn(batch)
    pictures = torch.randn(batch, 2, 4, 5)
    tokens = torch.randint(0, 7, (batch, 3))
    masks = lambda *shape: (torch.rand(batch, *shape) > 0.5).float()

    # Targets of every rank.
    module = Squeezed(4, 1, ())
    by_torchscript("rank-1", module, vectors)
    golden("rank-1", module, vectors, numbers, "mean-squared-error", given=[batch, 1])
    module = Shaped(4, 1, (1,))
    by_dynamo("rank-2", module, vectors)
    golden("rank-2", module, vectors, masks(), "binary-cross-entropy")
    module = Column()
    nodes = {"constants": {"axis": [2]}, "nodes": [("MatMul", ["x", "weight"], ["t"], {}), ("Unsqueeze", ["t", "axis"], ["y"], {})]}
    by_helper("rank-3-ones", nodes, module, vectors, ["N", 1, 1])
    golden("rank-3-ones", module, vectors, numbers, "mean-squared-error")
    module = Single(1)
    by_dynamo("rank-3", module, pictures)
    golden("rank-3", module, pictures, masks(1, 4, 5), "binary-cross-entropy")
    module = Picture(2)
    by_torchscript("rank-4", module, pictures)
    golden("rank-4", module, pictures, torch.randn(batch, 2, 4, 5), "mean-squared-error")
    module = Picture(1)
    by_torchscript("rank-4-ones", module, pictures)
    golden("rank-4-ones", module, pictures, torch.randn(batch, 4, 5), "mean-squared-error")

    # Labels at positions; example 0 has none that counts, the others different numbers of them.
    def labels(classes, *shape):
        drawn = torch.randint(0, classes, (batch, *shape))
        kept = torch.rand(batch, *shape) < torch.linspace(0, 1, batch).reshape(batch, *[1] * len(shape))
        return torch.where(kept, drawn, IGNORED)

    module = Tagger(5)
    by_dynamo("tagging", module, tokens)
    golden("tagging", module, tokens, labels(5, 3), "cross-entropy", classes_last=True)
    golden_all = torch.randint(0, 3, (batch, 4, 5))
    module = Picture(3)
    by_torchscript("segmentation", module, pictures)
    golden("segmentation", module, pictures, labels(3, 4, 5), "cross-entropy", smoothing=0.1)
    module = Picture(4)
    by_dynamo("segmentation-masks", module, pictures)
    golden("segmentation-masks", module, pictures, golden_all, "cross-entropy", given=[batch, 1, 4, 5])
    module = Series(5)
    by_dynamo("series", module, torch.randn(batch, 2, 4))
    golden("series", module, torch.randn(batch, 2, 4), labels(5, 4), "cross-entropy")
    module = ClassesLast(3)
    nodes = {"constants": {}, "nodes": [("MatMul", ["x", "weight"], ["t"], {}), ("Add", ["t", "bias"], ["y"], {})]}
    by_helper("classes-last", nodes, module, torch.randn(batch, 4, 5, 2), ["N", 4, 5, 3])
    golden("classes-last", module, torch.randn(batch, 4, 5, 2), labels(3, 4, 5), "cross-entropy", classes_last=True)

    # Ignored examples.
    module = Shaped(4, 3, (3,))
    by_torchscript("ignored", module, vectors)
    golden("ignored", module, vectors, torch.tensor([2, IGNORED, 1, IGNORED, 0, 1]), "cross-entropy")
    golden_module = Shaped(4, 3, (3,))
    by_dynamo("ignored-smoothed", golden_module, vectors)
    some = torch.tensor([IGNORED, 0, 2, IGNORED, IGNORED, 1])
    golden("ignored-smoothed", golden_module, vectors, some, "cross-entropy", smoothing=0.2)


main()
