"""Models whose files fix their batch, as exporters write them unless told otherwise: PyTorch's two exporters, onnx.helper.

Beside each, <name>.json holds outputs by the program that wrote it, for more examples than the file's batch.
"""

import json
import warnings

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)


class Views(nn.Module):
    """view(batch, -1) in place of flatten."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, stride=2)
        self.fc = nn.Linear(18, 3)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.fc(x.view(x.size(0), -1))


class Tokens(nn.Module):
    """A small vision transformer: patches, class token, position embedding, attention over heads."""

    def __init__(self, heads=2, width=8):
        super().__init__()
        self.heads = heads
        self.patches = nn.Conv2d(1, width, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 5, width) * 0.1)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        b = x.shape[0]
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(b, -1, -1), x], 1) + self.position
        n, d = x.shape[1:]
        q, k, v = self.qkv(self.norm(x)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        a = (q @ k.transpose(-2, -1) / (d // self.heads) ** 0.5).softmax(-1)
        x = x + self.out((a @ v).transpose(1, 2).reshape(b, n, d))
        return self.head(x[:, 0])


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


class Coupled(nn.Module):
    """Each example minus the batch's mean: no other batch gives the same."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(x - x.mean(0, keepdim=True))


def export(name, model, shape, batch, dynamo):
    model.eval()
    path = f"{name}.onnx"
    torch.onnx.export(model, (torch.randn(batch, *shape),), path, dynamo=dynamo, input_names=["x"], output_names=["y"],
                      **({"external_data": False, "optimize": True} if dynamo else {}))
    loaded = onnx.load(path)
    loaded.doc_string = ""
    for node in loaded.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*loaded.graph.value_info, *loaded.graph.input, *loaded.graph.output]:
        kept = [p for p in value.metadata_props if p.key.endswith("InputSpec.kind")]
        del value.metadata_props[:]
        value.metadata_props.extend(kept)
    onnx.save(loaded, path)
    x = torch.randn(7, *shape)
    with torch.no_grad():
        y = torch.cat([model(part) for part in x.split(1)]) if name != "coupled" else model(x)
    write(name, x.numpy(), y.numpy())


def write(name, x, y):
    with open(f"{name}.json", "w") as file:
        json.dump({"shape": list(x.shape), "x": [float(f"{v:.8g}") for v in x.ravel()],
                   "y": [float(f"{v:.8g}") for v in y.ravel()]}, file)


export("views-script-1", Views(), (1, 8, 8), 1, False)
export("views-dynamo-4", Views(), (1, 8, 8), 4, True)
export("tokens-script-1", Tokens(), (1, 8, 8), 1, False)
export("tokens-script-3", Tokens(), (1, 8, 8), 3, False)
export("tokens-dynamo-1", Tokens(), (1, 8, 8), 1, True)
export("tokens-dynamo-2", Tokens(), (1, 8, 8), 2, True)
encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
export("encoder-script-1", nn.Sequential(encoder, nn.Flatten(), nn.Linear(40, 2)), (5, 8), 1, False)
export("encoder-dynamo-2", nn.Sequential(encoder, nn.Flatten(), nn.Linear(40, 2)), (5, 8), 2, True)
export("lstm-script-1", Recurrent(), (5, 3), 1, False)
export("lstm-dynamo-2", Recurrent(), (5, 3), 2, True)
export("coupled", Coupled(), (4,), 4, False)

# onnx.helper: examples and positions in one axis, and back.
generator = numpy.random.default_rng(0)
weights = {"w": generator.normal(size=(3, 4)), "b": generator.normal(size=(4,)), "v": generator.normal(size=(20, 2))}
stored = [numpy_helper.from_array(value.astype(numpy.float32), name) for name, value in weights.items()]
stored += [numpy_helper.from_array(numpy.array(size, numpy.int64), name)
           for name, size in {"rows": [10, 3], "back": [2, 5, 4], "flat": [2, 20]}.items()]
nodes = [
    helper.make_node("Reshape", ["x", "rows"], ["r"]),
    helper.make_node("Gemm", ["r", "w", "b"], ["h"]),
    helper.make_node("Tanh", ["h"], ["t"]),
    helper.make_node("Reshape", ["t", "back"], ["s"]),
    helper.make_node("Reshape", ["s", "flat"], ["f"]),
    helper.make_node("MatMul", ["f", "v"], ["y"]),
]
graph = helper.make_graph(nodes, "rows", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 5, 3])],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2])], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.save(model, "rows-helper-2.onnx")
x = generator.normal(size=(8, 5, 3)).astype(numpy.float32)
run = ReferenceEvaluator(model)
write("rows-helper-2", x, numpy.concatenate([run.run(None, {"x": x[i : i + 2]})[0] for i in range(0, 8, 2)]))
