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

# What the exporter computes itself, under names of its own: states that begin at 0, a window, a number for all places.
SEQUENCES = random.standard_normal((4, 3, 2)).astype(np.float32)
SIGNALS = random.standard_normal((4, 8)).astype(np.float32)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer, self.head = kind(2, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


class Spectrum(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.head = nn.Linear(8, 8), nn.Linear(9, 3)

    def forward(self, x):
        window = torch.hann_window(4)
        parts = torch.stft(self.mix(x), 4, 4, window=window, return_complex=True)
        return self.head(torch.view_as_real(parts).pow(2).sum(-1).flatten(1))


class Filled(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.head = nn.Linear(8, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.mix(x)) * torch.full((x.shape[0], 4), 0.7))


class Rotary(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.head = nn.Linear(2, 4), nn.Linear(4, 3)

    def forward(self, x):
        a, b = self.mix(x).chunk(2, -1)
        angles = torch.arange(3).float()[:, None] / torch.tensor([1.0, 100.0])
        return self.head(torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1).tanh().mean(1))


class Groups(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.norm, self.head = nn.Conv1d(3, 4, 2), nn.GroupNorm(2, 4), nn.Linear(4, 3)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        return self.head(torch.tanh(self.norm(self.mix(x))).flatten(1))


for name, module, value, computed in [
    ("lstm-states-dynamo", Recurrent(nn.LSTM), SEQUENCES, "LSTM"),
    ("gru-states-dynamo", Recurrent(nn.GRU), SEQUENCES, "GRU"),
    ("window-dynamo", Spectrum(), SIGNALS, "STFT"),
    ("rotary-dynamo", Rotary(), SEQUENCES, "Mul"),
    ("groups-dynamo", Groups(), SEQUENCES, "InstanceNormalization"),
    ("filled-dynamo", Filled(), SIGNALS, "Expand"),
]:
    model = export(module.eval(), {"x": torch.tensor(value)}, "y", 20, True, axes={"x": {0: "batch"} if computed == "Expand" else {}})
    remove_metadata(model)
    place = {"LSTM": slice(5, 7), "GRU": slice(5, 6), "STFT": slice(2, 3), "Expand": slice(0, 1), "Mul": slice(1, 2), "InstanceNormalization": slice(1, 3)}[computed]
    constants = {each for node in model.graph.node if node.op_type == computed for each in node.input[place] if "norm" not in each}
    names = [t.name for t in model.graph.initializer if t.data_type == 1 and t.dims and t.name not in constants]
    assert constants.intersection(t.name for t in model.graph.initializer), name
    save(__file__, name, model, {"x": value}, [0, 2, 1, 2], names)

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
