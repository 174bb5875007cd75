"""Files of PyTorch that do not tell buffers from parameters, and one whose tied weights the exporter stored twice.

    python test/cases/buffers/make.py
"""

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from skl2onnx import to_onnx
from torch import nn

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "goldens")]
from exporting import export, remove_metadata
from oracle import save

random = np.random.default_rng(11)
TOKENS, LABELS = random.integers(0, 5, (4, 3)), [0, 4, 1, 2]
torch.manual_seed(12)


class Language(nn.Module):
    def __init__(self, tied):
        super().__init__()
        self.table, self.mix = nn.Embedding(5, 4), nn.Linear(4, 4)
        self.head = nn.Linear(4, 5, bias=False)
        if tied:
            self.head.weight = self.table.weight
        self.register_buffer("inv_freq", 1 / 10 ** (torch.arange(0, 4, 2) / 4))
        self.register_buffer("final_logits_bias", torch.zeros(1, 5))
        self.register_buffer("causal_mask", torch.tensor([[1.0, 0, 0], [1, 1, 0], [1, 1, 1]]))

    def forward(self, tokens):
        h = self.table(tokens)
        places = torch.arange(3).float()[:, None] * self.inv_freq
        h = h + torch.cat([places.sin(), places.cos()], 1)
        h = torch.tanh(self.mix(torch.einsum("st,btd->bsd", self.causal_mask, h)))
        return self.head(h[:, -1]) + self.final_logits_bias


for name, tied, dynamo, options in [
    ("torchscript", False, False, {"do_constant_folding": False}),
    ("dynamo", False, True, {"optimize": False}),
    ("tied-torchscript", True, False, {}),
]:
    model = export(Language(tied).eval(), {"tokens": torch.tensor(TOKENS)}, "y", 18 if dynamo else 14, dynamo, **options)
    keep = "pkg.torch.export.graph_signature.InputSpec.kind"
    remove_metadata(model, keep=() if name == "torchscript" else (keep,))
    buffers = ("Sin_24", "inv_freq", "final_logits_bias", "causal_mask")
    names = [t.name for t in model.graph.initializer if t.data_type == 1 and t.dims and not t.name.endswith(buffers)]
    save(__file__, name, model, {"tokens": TOKENS}, LABELS, names)

# Classical models, to be named as such.
x, y = make_classification(40, 4, n_informative=3, n_redundant=0, random_state=1)
for name, made in [
    ("forest", RandomForestClassifier(2, max_depth=2)),
    ("logistic", LogisticRegression()),
    ("machine", SVC(probability=False)),
]:
    model = to_onnx(made.fit(x, y), x[:1].astype(np.float32), options={"zipmap": False})
    (Path(__file__).parents[1] / "classical").mkdir(exist_ok=True)
    (Path(__file__).parents[1] / "classical" / f"{name}.onnx").write_bytes(model.SerializeToString())
