"""Small networks whose files hold loops of fixed length: from PyTorch's two exporters and onnx.helper.

    python test/cases/loops/make.py
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "goldens")]
from exporting import export, remove_metadata
from oracle import save

torch.manual_seed(3)
random = np.random.default_rng(3)
TOKENS = np.array([[0, 3, 1], [4, 4, 2], [5, 0, 6], [1, 2, 3]])
X = random.standard_normal((4, 5, 2)).astype(np.float32)
LABELS = [0, 2, 1, 2]
ALL = {"tokens": {}}


class Bag(nn.Module):
    def __init__(self, mode):
        super().__init__()
        self.bag, self.head = nn.EmbeddingBag(7, 4, mode=mode), nn.Linear(4, 3)

    def forward(self, tokens):
        return self.head(self.bag(tokens).tanh())


class WeightedBags(nn.Module):
    """Bags of one row of tokens each, weighted."""

    def __init__(self):
        super().__init__()
        self.table, self.weights = nn.Parameter(torch.randn(7, 3)), nn.Parameter(torch.randn(12))

    def forward(self, tokens):
        starts = torch.tensor([0, 3, 6, 9])
        return F.embedding_bag(tokens.reshape(-1), self.table, starts, mode="sum", per_sample_weights=self.weights)


class Recurrence(torch.jit.ScriptModule):
    """A recurrence written as a loop over positions, whose states are put on a list."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 3)

    @torch.jit.script_method
    def forward(self, x):
        state = torch.zeros(x.shape[0], 3)
        states: list[torch.Tensor] = []
        for t in range(x.shape[1]):
            state = torch.tanh(self.a(x[:, t]) + self.b(state))
            states.append(state)
        return self.c(torch.stack(states, 1).mean(1) + states[-1])


def parameters_of(model):
    floats = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and len(t.dims) > 0]
    # Without weights of their own, tokens are weighted by ones.
    return [t.name for t in floats if len(set(numpy_helper.to_array(t).flat)) > 1]


def remove_all_metadata(model):
    """In graphs inside nodes and in functions too."""
    remove_metadata(model, keep=["pkg.torch.export.graph_signature.InputSpec.kind"])
    graphs = [attribute.g for each in model.graph.node for attribute in each.attribute if attribute.HasField("g")]
    for graph in graphs:
        for item in [*graph.node, *graph.initializer, *graph.input, *graph.output]:
            item.ClearField("metadata_props")
            item.ClearField("doc_string")
        del graph.value_info[:]
        graphs += [attribute.g for each in graph.node for attribute in each.attribute if attribute.HasField("g")]


def of_pytorch(name, network, inputs, opset, dynamo, **options):
    given = {key: torch.tensor(value) for key, value in inputs.items()}
    model = export(network.eval(), given, "y", opset, dynamo, **options)
    remove_all_metadata(model)
    assert any(node.op_type == "Loop" for node in model.graph.node)
    save(__file__, name, model, inputs, LABELS, parameters_of(model))


of_pytorch("dynamo-bag-sum", Bag("sum"), {"tokens": TOKENS}, 18, True, axes=ALL, optimize=False)
of_pytorch("dynamo-bag-max", Bag("max"), {"tokens": TOKENS}, 20, True, axes=ALL)
of_pytorch("torchscript-bag-mean", Bag("mean"), {"tokens": TOKENS}, 17, False, axes=ALL)
of_pytorch("dynamo-bags-weighted", WeightedBags(), {"tokens": TOKENS}, 18, True, axes=ALL)
of_pytorch("torchscript-recurrence", Recurrence(), {"x": X}, 17, False, axes={"x": {0: "batch", 1: "length"}})

node, value = helper.make_node, helper.make_tensor_value_info


def helper_model(nodes, stored, numbers={}, opset=18):
    constants = [
        node("Constant", [], [key], value=numpy_helper.from_array(np.array(number)))
        for key, number in numbers.items()
    ]
    graph = helper.make_graph(
        [*constants, *nodes],
        "g",
        [value("x", 1, ["N", 5, 2])],
        [value("y", 1, ["N", 3])],
        [numpy_helper.from_array(array.astype(np.float32), key) for key, array in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


# A recurrence over the positions of a Scan, back to front.
stored = {"a": random.standard_normal((2, 3)), "b": random.standard_normal((3, 3))}
numbers = {"axes": [1], "zero": [0], "two": [2]}
step = helper.make_graph(
    [
        node("MatMul", ["u", "a"], ["ua"]),
        node("MatMul", ["h", "b"], ["hb"]),
        node("Add", ["ua", "hb"], ["s"]),
        node("Tanh", ["s"], ["n"]),
        node("Identity", ["n"], ["o"]),
    ],
    "step",
    [value("h", 1, ["N", 3]), value("u", 1, ["N", 2])],
    [value("n", 1, ["N", 3]), value("o", 1, ["N", 3])],
)
before = [node("ReduceSum", ["x", "axes"], ["total"], keepdims=0), node("MatMul", ["total", "a"], ["h0"])]
after = [
    node("Slice", ["all", "zero", "two", "two"], ["some"]),
    node("ReduceMean", ["some", "two"], ["m"], keepdims=0),
    node("Add", ["last", "m"], ["y"]),
]
directions = {"scan_input_axes": [1], "scan_input_directions": [1], "scan_output_axes": [2], "scan_output_directions": [1]}
scan = node("Scan", ["h0", "x"], ["last", "all"], body=step, num_scan_inputs=1, **directions)
scanning = helper_model([*before, scan, *after], stored, numbers)
# The reference implementation knows no directions: it runs the steps written out.
steps, states = [], [""] * 5
for turn, place in enumerate(reversed(range(5))):
    states[place] = "last" if turn == 4 else f"h{turn + 1}"
    steps += [
        node("Gather", ["x", f"place{place}"], [f"u{turn}"], axis=1),
        node("MatMul", [f"u{turn}", "a"], [f"ua{turn}"]),
        node("MatMul", [f"h{turn}", "b"], [f"hb{turn}"]),
        node("Add", [f"ua{turn}", f"hb{turn}"], [f"s{turn}"]),
        node("Tanh", [f"s{turn}"], [states[place]]),
        node("Unsqueeze", [states[place], "two"], [f"o{place}"]),
    ]
joined = node("Concat", [f"o{place}" for place in range(5)], ["all"], axis=2)
written = helper_model([*before, *steps, joined, *after], stored, {**numbers, **{f"place{i}": i for i in range(5)}})
save(__file__, "helper-scan", written, {"x": X}, LABELS, list(stored))
received = [
    onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": X})[0] for model in [scanning, written]
]
np.testing.assert_allclose(*received, rtol=1e-5)
onnx.save_model(scanning, Path(__file__).with_name("helper-scan.onnx"))

# Turns until a counter that starts from a shape is used up, and a graph inside that changes from turn to turn.
then = helper.make_graph([node("Sin", ["h"], ["r"])], "then", [], [value("r", 1, None)])
other = helper.make_graph([node("Mul", ["h", "v"], ["r"])], "other", [], [value("r", 1, None)])
turn = helper.make_graph(
    [
        node("Sub", ["left", "unit"], ["rest"]),
        node("Greater", ["rest", "nothing"], ["goes"]),
        node("Mod", ["i", "pair"], ["odd"]),
        node("Cast", ["odd"], ["isOdd"], to=9),
        node("If", ["isOdd"], ["g"], then_branch=then, else_branch=other),
        node("MatMul", ["g", "w"], ["k"]),
        node("Cos", ["k"], ["wave"]),
    ],
    "turn",
    [value("i", 7, []), value("c", 9, []), value("left", 7, []), value("h", 1, None)],
    [value("goes", 9, []), value("rest", 7, []), value("k", 1, None), value("wave", 1, None)],
)
counting = helper_model(
    [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "unit"], ["length"]),
        node("ReduceSum", ["x", "axes"], ["total"], keepdims=0),
        node("MatMul", ["total", "a"], ["h0"]),
        node("Loop", ["many", "yes", "length", "h0"], ["end", "h1", "waves"], body=turn),
        node("Reshape", ["waves", "turns"], ["each"]),
        node("ReduceMean", ["each", "axis"], ["spread"], keepdims=0),
        node("Mul", ["h1", "spread"], ["y"]),
    ],
    {
        "a": random.standard_normal((2, 3)),
        "w": random.standard_normal((3, 3)) / 2,
        "v": random.standard_normal(3) / 2,
    },
    {"axes": [1], "axis": [0], "unit": 1, "nothing": 0, "yes": True, "turns": [5, -1, 3], "pair": 2, "many": 2**63 - 1},
)
save(__file__, "helper-while", counting, {"x": X}, LABELS, ["a", "w", "v"])
