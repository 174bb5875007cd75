"""Files whose other outputs need ops without rules: as skl2onnx writes classifiers, with labels, texts and lists of maps.

    python test/cases/side-branches/make.py
"""

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path += [str(Path(__file__).parents[1])]
from oracle import save

random = np.random.default_rng(8)
X = random.standard_normal((60, 4)).astype(np.float32)
Y = (X[:, 0] > 0.4).astype(int) + (X[:, 1] > 0)
LABELS = [0, 2, 1, 2]

for name, targets, options in [
    ("zipmap", Y, {}),
    ("no-zipmap", Y, {"zipmap": False}),
    ("texts", np.array(["cat", "dog", "frog"])[Y], {}),
]:
    network = MLPClassifier((5,), max_iter=20, random_state=1).fit(X, targets)
    model = to_onnx(network, X[:1], options={id(network): options})
    names = [t.name for t in model.graph.initializer if t.data_type == TensorProto.FLOAT]
    zipped = [node.input[0] for node in model.graph.node if node.op_type == "ZipMap"]
    output = (zipped or ["probabilities"])[0]
    save(__file__, name, model, {"X": X[:4]}, LABELS, names, output)

# A branch that no engine knows, beside a float output that comes first.
graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Mystery", ["y"], ["z"], domain="own.engine"),
    ],
    "branch",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
    [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3]),
        helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 3]),
    ],
    [numpy_helper.from_array(random.standard_normal((4, 3)).astype(np.float32), "w")],
)
imports = [helper.make_opsetid("", 18), helper.make_opsetid("own.engine", 1)]
model = helper.make_model(graph, opset_imports=imports, ir_version=9)
save(__file__, "unknown-domain", model, {"x": X[:4]}, LABELS, ["w"], "y")
