"""Small networks around ops whose derivatives PyTorch defines where numbers tie or vanish, and around ops that it writes as
one node. Losses and gradients are PyTorch's, in float64.

    python test/cases/exported-ops/make.py
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

FOLDER = Path(__file__).parent
sys.path += [str(FOLDER.parent), str(FOLDER.parents[1] / "goldens")]
from exporting import export, remove_metadata
from oracle import rounded, tensor

torch.manual_seed(7)
X = np.random.default_rng(7).standard_normal((4, 6)).astype(np.float32)
LABELS = [0, 2, 1, 2]


class Scatter(nn.Module):
    """Updates that meet at one place and tie with each other, with what is there, or are zero."""

    def __init__(self, reduce):
        super().__init__()
        self.reduce, self.head = reduce, nn.Linear(5, 3)
        self.data = nn.Parameter(torch.tensor([0.5, -1.0, 2.0, 0.0, 0.25]))
        self.updates = nn.Parameter(torch.tensor([0.5, 0.5, -1.0, 3.0, 3.0, 0.0, 1.5, 0.0]))

    def forward(self, x):
        index = torch.tensor([0, 0, 1, 2, 2, 4, 4, 3]).expand(x.shape[0], 8)
        data = self.data.expand(x.shape[0], 5).clone()
        reduced = data.scatter_reduce(1, index, self.updates.expand(x.shape[0], 8), self.reduce, include_self=True)
        return self.head(reduced * x[:, :5] + x[:, 1:])


class Resampled(nn.Module):
    """Cubic resampling of a trained picture at places in and around it that depend on the input."""

    def __init__(self, padding, aligned):
        super().__init__()
        self.padding, self.aligned = padding, aligned
        self.picture, self.places = nn.Parameter(torch.randn(1, 3, 4, 5)), nn.Linear(6, 8)

    def forward(self, x):
        grid = self.places(x).reshape(-1, 2, 2, 2)
        picture = self.picture.expand(x.shape[0], -1, -1, -1)
        options = {"mode": "bicubic", "padding_mode": self.padding, "align_corners": self.aligned}
        return F.grid_sample(picture, grid, **options).sum((2, 3))


class Spectrum(nn.Module):
    """The power of windows of a signal."""

    def __init__(self, window, onesided):
        super().__init__()
        self.signal, self.head = nn.Linear(6, 20), nn.Linear((5 if onesided else 8) * 4, 3)
        self.register_buffer("window", window, persistent=False)
        self.onesided = onesided

    def forward(self, x):
        options = {"onesided": self.onesided, "center": False, "return_complex": True}
        window = self.window.to(x.dtype) if self.window is not None else None
        spectrum = torch.view_as_real(torch.stft(self.signal(x), 8, 4, 8, window, **options))
        return self.head((spectrum**2).sum(-1).flatten(1) / 8)


def save(name, network, opset, dynamo=True, **options):
    network.eval()
    model = export(network, {"x": torch.tensor(X)}, "y", opset, dynamo, **options)
    remove_metadata(model, keep=["pkg.torch.export.graph_signature.InputSpec.kind"])  # a window is no parameter
    onnx.save_model(model, FOLDER / f"{name}.onnx")
    wide = network.double()
    loss = F.cross_entropy(wide(torch.tensor(X).double()), torch.tensor(LABELS))
    loss.backward()
    gradients = {key: {"shape": list(p.shape), "data": rounded(p.grad.numpy())} for key, p in wide.named_parameters()}
    golden = {"inputs": {"x": tensor(X)}, "labels": LABELS, "output": "y", "loss": loss.item(), "gradients": gradients}
    (FOLDER / f"{name}.golden.json").write_text(json.dumps(golden) + "\n")
    print(f"{name}: {(FOLDER / f'{name}.onnx').stat().st_size} bytes, loss {loss.item():.6f}")


UNOPTIMIZED = {"optimize": False}
for reduce in ["amax", "amin", "prod"]:
    save(f"dynamo-scatter-{reduce}", Scatter(reduce), 18, **UNOPTIMIZED)
save("torchscript-scatter-amax", Scatter("amax"), 18, False)
save("dynamo-cubic-zeros", Resampled("zeros", False), 20, **UNOPTIMIZED)
save("dynamo-cubic-reflection", Resampled("reflection", False), 20, **UNOPTIMIZED)
save("torchscript-cubic-border", Resampled("border", True), 20, False)
save("dynamo-stft", Spectrum(None, True), 18, **UNOPTIMIZED)
save("dynamo-stft-hann", Spectrum(torch.hann_window(8), True), 20, **UNOPTIMIZED)
save("dynamo-stft-twosided", Spectrum(torch.hamming_window(8), False), 18, **UNOPTIMIZED)
