"""What the golden scripts share: float32-representable random numbers, and JSON that both precisions can read.

The files were made with PyTorch 2.15, onnx 1.23, onnxscript 0.7, onnxruntime 1.32 and NumPy 2.4.
"""

import json
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent


class Random:
    """Normal numbers drawn in float32 and returned in float64, so that both precisions see identical inputs."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def normal(self, *shape, scale=1.0):
        drawn = self.generator.standard_normal(shape, dtype=np.float32) * np.float32(scale)
        return torch.from_numpy(drawn).double()

    def integers(self, high, *shape):
        return torch.from_numpy(self.generator.integers(0, high, shape))


def float32(values):
    """The values rounded to float32, as a float64 tensor."""
    return torch.tensor(values, dtype=torch.float32).double()


def number(value):
    """A JSON number; -0 is written as 0."""
    return value + 0 if isinstance(value, int) else value + 0.0


def tensor(value):
    """{shape, data} of a tensor; integer tensors also say their dtype."""
    value = value.detach()
    encoded = {"shape": list(value.shape), "data": [number(x) for x in value.flatten().tolist()]}
    return encoded if value.is_floating_point() else {"dtype": str(value.dtype).removeprefix("torch."), **encoded}


def tensors(values):
    """{name: {shape, data}}"""
    return {name: tensor(value) for name, value in values.items()}


def write(name, golden):
    """Writes a list with one entry a line, or an object with one field a line."""
    encode = lambda value: json.dumps(value, allow_nan=False, separators=(",", ":"))
    if isinstance(golden, list):
        text = "[\n" + ",\n".join(encode(entry) for entry in golden) + "\n]\n"
    else:
        text = "{\n" + ",\n".join(f"{encode(key)}:{encode(value)}" for key, value in golden.items()) + "\n}\n"
    path = FOLDER / name
    path.write_text(text)
    print(f"{path.relative_to(FOLDER)}: {path.stat().st_size} bytes")
