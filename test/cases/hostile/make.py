"""Makes hostile model files: python make.py, with torch, onnx and numpy installed; the files are written beside it."""

import io
import os

import numpy as np
import onnx
import pandas as pd
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(1)


def save(name, graph, opset=17, functions=(), domains=()):
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8, functions=list(functions))
    onnx.save(model, os.path.join(here, name))


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def stored(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


# Names of JavaScript's own, as inputs, outputs, parameters, nodes and dimensions; the same models under plain names.
weights = [rng.standard_normal(shape).astype(np.float32) for shape in [(5, 4), (5,), (3, 5), (3,)]]


def network(name, called):
    x, w1, b1, h, a, w2, b2, y, batch, width = called
    nodes = [
        helper.make_node("Gemm", [x, w1, b1], [h], name=h, transB=1),
        helper.make_node("Tanh", [h], [a], name=a),
        helper.make_node("Gemm", [a, w2, b2], [y], name=y, transB=1),
    ]
    initializers = [stored(label, array) for label, array in zip([w1, b1, w2, b2], weights)]
    save(name, helper.make_graph(nodes, "names", [value(x, [batch, width])], [value(y, [batch, 3])], initializers))


network("names-plain.onnx", ["x", "w1", "b1", "h", "a", "w2", "b2", "y", "batch", "width"])
network(
    "names-parameters.onnx",
    ["constructor", "__proto__", "toString", "valueOf", "then", "hasOwnProperty", "isPrototypeOf", "length",
     "__defineGetter__", "prototype"],
)
network(
    "names-interface.onnx",
    ["__proto__", "w1", "b1", "constructor", "toString", "w2", "b2", "hasOwnProperty", "valueOf", "__proto__"],
)
network(
    "names-output.onnx",
    ["hasOwnProperty", "w1", "constructor", "h", "a", "valueOf", "b2", "__proto__", "toString", "constructor"],
)


class Named(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.add_module("constructor", torch.nn.Linear(4, 5))
        self.add_module("__proto__", torch.nn.Linear(5, 3))
        for target, array in zip(self.parameters(), weights):
            target.data = torch.from_numpy(array)

    def forward(self, x):
        first, second = self._modules.values()
        return second(torch.tanh(first(x)))


buffer = io.BytesIO()
torch.onnx.export(
    Named(), (torch.zeros(2, 4),), buffer, opset_version=17, dynamo=False,
    input_names=["toString"], output_names=["__proto__"], dynamic_axes={"toString": {0: "constructor"}},
)
with open(os.path.join(here, "names-torch.onnx"), "wb") as file:
    file.write(buffer.getvalue())

# Names that a terminal would obey, turn around, or be flooded by.
red, up, title = "\x1b[31mred\x1b[0m", "\x1b[2A\x1b[K", "\x1b]0;title\x07"
network(
    "escape-names.onnx",
    [f"in{red}", f"w{up}", f"b\nwarning: all is well", "h\u202etxt.exe", f"a{title}", "w\u009b31m", "b" + "x" * 5000,
     f"out\r{red}", f"batch{red}", f"width{up}"],
)
save(
    "escape-op.onnx",
    helper.make_graph(
        [helper.make_node(f"Op{red}", ["x"], ["y"], name=f"node{up}\n", domain=f"dom{title}")],
        f"graph{red}", [value("x", ["N", 4])], [value("y", ["N", 4])],
    ),
    domains=[f"dom{title}"],
)
save(
    "escape-damaged.onnx",
    helper.make_graph(
        [helper.make_node("Add", ["x", f"ghost{red}\u2066"], ["y"], name=f"add{up}")],
        f"graph{red}", [value("x", ["N", 4])], [value("y", ["N", 4])],
    ),
)

# Data in another file, at every level.
np.arange(1, 9, dtype="<f4").tofile(os.path.join(here, "numbers.bin"))


def external(name, location="numbers.bin", offset=0, length=8, dims=(2,)):
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims, raw_data=b"\0" * 8)
    set_external_data(tensor, location, offset, length)
    tensor.ClearField("raw_data")
    return tensor


x, y = value("x", [2, 2]), value("y", [2, 2])


def branch(name, tensor):
    return helper.make_graph(
        [helper.make_node("Add", ["x", tensor.name], [f"{name}/y"])], name, [], [value(f"{name}/y", [2, 2])], [tensor]
    )


def choice(then_location):
    return helper.make_graph(
        [
            helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
            helper.make_node("Greater", ["total", "zero"], ["condition"]),
            helper.make_node(
                "If", ["condition"], ["y"],
                then_branch=branch("then", external("t", then_location, 8)), else_branch=branch("else", external("e")),
            ),
        ],
        "choice", [x], [y], [stored("zero", np.float32(0))],
    )


save("external-in-branch.onnx", choice("numbers.bin"))
save(
    "external-in-constant.onnx",
    helper.make_graph(
        [
            helper.make_node("Constant", [], ["c"], value=external("c", offset=8)),
            helper.make_node("Add", ["x", "c"], ["y"]),
        ],
        "constant", [x], [y],
    ),
)
body = helper.make_graph(
    [
        helper.make_node("Constant", [], ["c"], value=external("c", offset=16)),
        helper.make_node("Add", ["before", "c"], ["after"]),
        helper.make_node("Identity", ["go"], ["on"]),
    ],
    "body", [value("turn", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("before", [2, 2])],
    [value("on", [], TensorProto.BOOL), value("after", [2, 2])],
)
save(
    "external-in-loop.onnx",
    helper.make_graph(
        [helper.make_node("Loop", ["turns", "", "x"], ["y"], body=body)], "loop", [x], [y],
        [stored("turns", np.int64(3))],
    ),
)
add = helper.make_function(
    "local", "AddNumbers", ["a"], ["b"],
    [
        helper.make_node("Constant", [], ["c"], value=external("c", offset=24)),
        helper.make_node("Add", ["a", "c"], ["b"]),
    ],
    [helper.make_opsetid("", 17)],
)
save(
    "external-in-function.onnx",
    helper.make_graph([helper.make_node("AddNumbers", ["x"], ["y"], domain="local")], "function", [x], [y]),
    functions=[add], domains=["local"],
)
# Outside of the folder, by the name alone and through links that the test makes.
save("external-above.onnx", choice("../numbers.bin"))
save("external-absolute.onnx", choice("/etc/hostname"))
save("external-memory.onnx", choice("*/_ORT_MEM_ADDR_/*"))
save("external-link.onnx", choice("link.bin"))
save("external-short.onnx", choice("numbers.bin"))
model = onnx.load(os.path.join(here, "external-short.onnx"), load_external_data=False)
for entry in model.graph.node[2].attribute[0].g.initializer[0].external_data:
    if entry.key == "offset":
        entry.value = "32"
onnx.save(model, os.path.join(here, "external-short.onnx"))

# A few bytes that ask for more than any machine has.
huge = 2**36


def bomb(name, nodes, initializers, inputs=()):
    save(name, helper.make_graph(nodes, "bomb", [value("x", [1, 2]), *inputs], [value("y", None)], initializers))


size = stored("size", np.array([huge, 2], np.int64))
bomb("bomb-expand.onnx", [helper.make_node("Expand", ["x", "size"], ["y"], name="boom")], [size])
bomb("bomb-tile.onnx", [helper.make_node("Tile", ["x", "size"], ["y"], name="boom")], [size])
bomb(
    "bomb-fill.onnx",
    [
        helper.make_node("Mul", ["size", "size"], ["more"]),
        helper.make_node("Slice", ["more", "zero", "one"], ["most"]),
        helper.make_node("ConstantOfShape", ["most"], ["ones"], name="boom"),
        helper.make_node("ReduceSum", ["ones"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ],
    [stored("size", np.array([2**22, 2], np.int64)), stored("zero", np.array([0], np.int64)), stored("one", np.array([1], np.int64))],
)
bomb(
    "bomb-range.onnx",
    [
        helper.make_node("Constant", [], ["start"], value_float=0.0),
        helper.make_node("Constant", [], ["end"], value_float=float(huge)),
        helper.make_node("Constant", [], ["step"], value_float=1.0),
        helper.make_node("Range", ["start", "end", "step"], ["y"], name="boom"),
    ],
    [],
)
turn = helper.make_graph(
    [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["before", "before"], ["after"])],
    "turn", [value("turn", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("before", [1, 2])],
    [value("on", [], TensorProto.BOOL), value("after", [1, 2])],
)
bomb(
    "bomb-loop.onnx",
    [
        helper.make_node("Mul", ["turns", "turns"], ["many"]),
        helper.make_node("Loop", ["many", "", "x"], ["y"], body=turn, name="boom"),
    ],
    [stored("turns", np.int64(2**20))],
)
endless = helper.make_graph(
    [helper.make_node("Constant", [], ["on"], value=helper.make_tensor("t", TensorProto.BOOL, [], [True])),
     helper.make_node("Identity", ["before"], ["after"])],
    "endless", [value("turn", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("before", [1, 2])],
    [value("on", [], TensorProto.BOOL), value("after", [1, 2])],
)
bomb("bomb-endless.onnx", [helper.make_node("Loop", ["", "", "x"], ["y"], body=endless, name="boom")], [])
bomb(
    "bomb-rank.onnx",
    [helper.make_node("Reshape", ["x", "size"], ["y"], name="boom")],
    [stored("size", np.array([1, 2] + [1] * 100, np.int64))],
)
deep = helper.make_graph([helper.make_node("Identity", ["x"], ["d"])], "g", [], [value("d", [1, 2])])
for level in range(20):
    deep = helper.make_graph(
        [helper.make_node("If", ["yes"], ["d"], then_branch=deep, else_branch=deep if level < 2 else helper.make_graph(
            [helper.make_node("Identity", ["x"], ["d"])], "g", [], [value("d", [1, 2])]))],
        "g", [], [value("d", [1, 2])],
    )
bomb(
    "bomb-nesting.onnx",
    [helper.make_node("If", ["yes"], ["y"], then_branch=deep, else_branch=deep, name="boom")],
    [stored("yes", np.array(True))],
)
# Dimensions that the bytes do not have.
for name, dims in [("dims-large", [huge, huge]), ("dims-negative", [-2, -1]), ("dims-overflow", [2**62, 4])]:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=np.ones(2, "<f4").tobytes())
    bomb(f"{name}.onnx", [helper.make_node("Add", ["x", "w"], ["y"], name="boom")], [tensor])

# A loop whose value doubles with each turn.
doubling = helper.make_graph(
    [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Concat", ["before", "before"], ["after"], axis=1)],
    "doubling", [value("turn", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("before", [1, None])],
    [value("on", [], TensorProto.BOOL), value("after", [1, None])],
)
bomb(
    "bomb-doubling.onnx", [helper.make_node("Loop", ["turns", "", "x"], ["y"], body=doubling, name="boom")],
    [stored("turns", np.int64(40))],
)

# Hours of work for an op of one runtime's own, of which no rule tells the shape.
many = 8192
save(
    "bomb-work.onnx",
    helper.make_graph(
        [
            helper.make_node("ConstantOfShape", ["size"], ["work0"]),
            *(helper.make_node("CDist", [f"work{n}"] * 2, [f"work{n + 1}"], domain="com.microsoft", metric="sqeuclidean") for n in range(40)),
            helper.make_node("ReduceSum", ["work40"], ["sum"], keepdims=0),
            helper.make_node("Add", ["x", "sum"], ["y"]),
        ],
        "work", [value("x", [1, 2])], [value("y", [1, 2])], [stored("size", np.array([many, many], np.int64))],
    ),
    domains=["com.microsoft"],
)

# Tables and arrays with such names.
inputs = rng.standard_normal((30, 4)).astype(np.float32)
classes = (np.arange(30) % 3).astype(np.int64)
np.savez(os.path.join(here, "names.npz"), **{"__proto__": inputs, "constructor": classes})
columns = ["__proto__", "toString", f"w{up}", "hasOwnProperty"]
labels = ["constructor", f"{red}", "__proto__"]
table = pd.DataFrame({name: inputs[:, place] for place, name in enumerate(columns)})
table["valueOf"] = [labels[number] for number in classes]
table.to_csv(os.path.join(here, "names.csv"), index=False)
