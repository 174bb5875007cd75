"""Models of two classes whose output joins 1 − σ(x) and σ(x): pairs of probabilities behind one logit.

    python test/cases/final-activation/make_pairs.py
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from sklearn.neural_network import MLPClassifier
from skl2onnx import to_onnx
from torch import nn

here = Path(__file__).parent
sys.path.append(str(Path(__file__).parents[2] / "goldens"))
from exporting import export, remove_metadata

random = np.random.default_rng(5)
x = random.standard_normal((40, 4)).astype(np.float32)
classifier = MLPClassifier((3,), max_iter=5, random_state=1).fit(x, (x[:, 0] > 0).astype(int))
(here / "pair-sklearn.onnx").write_bytes(
    to_onnx(classifier, x[:1], options={id(classifier): {"zipmap": False}}).SerializeToString()
)


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x):
        p = torch.sigmoid(self.layer(x))
        return torch.cat([1 - p, p], 1)


torch.manual_seed(6)
for name, opset, dynamo in [("pair-torchscript", 14, False), ("pair-dynamo", 18, True)]:
    model = export(Pair().eval(), {"x": torch.tensor(x[:6])}, "y", opset, dynamo)
    remove_metadata(model)
    onnx.save(model, here / f"{name}.onnx")
