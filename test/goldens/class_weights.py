"""Cross-entropy with a weight for each class, an ignored label and smoothing: PyTorch's losses and gradients in float64.

    python test/goldens/class_weights.py
"""

import json
from pathlib import Path

import torch
from torch.nn import functional as F

torch.manual_seed(0)
LOGITS = torch.randn(6, 4, dtype=torch.float64)
PIXELS = torch.randn(3, 4, 5, dtype=torch.float64)
WEIGHTS = torch.tensor([0.2, 1.0, 3.5, 0.001], dtype=torch.float64)
CASES = {
    "examples": (LOGITS, torch.tensor([0, 2, -100, 1, 2, 3]), 0.0),
    "smoothed": (LOGITS, torch.tensor([0, 2, -100, 1, 2, 3]), 0.3),
    "positions": (PIXELS, torch.tensor([[0, 1, 2, 3, 3], [-100, 2, 2, 0, 1], [3, 3, -100, 1, 0]]), 0.0),
    "light": (LOGITS, torch.tensor([3, 3, -100, 3, 3, 3]), 0.0),
}


def golden(logits, labels, smoothing):
    z = logits.clone().requires_grad_()
    loss = F.cross_entropy(z, labels, weight=WEIGHTS, label_smoothing=smoothing)
    loss.backward()
    return {
        "shape": list(z.shape),
        "logits": logits.flatten().tolist(),
        "labels": labels.flatten().tolist(),
        "smoothing": smoothing,
        "loss": loss.item(),
        "gradient": z.grad.flatten().tolist(),
    }


result = {"weights": WEIGHTS.tolist(), "cases": {name: golden(*case) for name, case in CASES.items()}}
Path(__file__).with_name("class-weights.golden.json").write_text(json.dumps(result) + "\n")
