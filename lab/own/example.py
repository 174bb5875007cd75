"""Makes the example of the panel "Your model", and the files that its tests drop: python3 lab/own/example.py

A network of PyTorch learns scikit-learn's digits (8×8 pixels) as they stand; the data to try are the same kind of digits, turned by a
quarter, as a table. Written with torch 2, onnx, onnxruntime, scikit-learn and Pillow.
"""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import external_data_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from PIL import Image
from sklearn.datasets import load_digits

here = Path(__file__).parents[1] / "example"
cases = Path(__file__).parents[2] / "test/cases/lab"
torch.manual_seed(0)


class Layer(torch.nn.Module):
    """A linear layer as a product and a sum, which quantizers find."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(inputs, outputs) * (2 / inputs) ** 0.5)
        self.bias = torch.nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


class Reader(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = Layer(64, 64), Layer(64, 32), Layer(32, 10)

    def forward(self, pixels):
        x = torch.relu(self.first(pixels / 16))
        return self.last(torch.relu(self.second(x)))


digits = load_digits(as_frame=True)
images = digits.images.astype(np.float32)
labels = digits.target.to_numpy()
order = np.random.default_rng(0).permutation(len(labels))
known, other = order[:1000], order[1000:]

model = Reader()
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
x, y = torch.from_numpy(images[known].reshape(-1, 64)), torch.from_numpy(labels[known].astype(np.int64))
for step in range(300):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
model.eval()


def accuracy(turned):
    shown = torch.from_numpy(np.ascontiguousarray(turned).reshape(-1, 64))
    return (model(shown).argmax(1).numpy() == labels[other]).mean()


sideways = np.rot90(images, axes=(1, 2))
print("as they stand", accuracy(images[other]), "turned", accuracy(sideways[other]))


def export(module, path, dtype=torch.float32):
    torch.onnx.export(
        module,
        (torch.zeros(2, 64, dtype=dtype),),
        str(path),
        input_names=["pixels"],
        output_names=["logits"],
        dynamic_axes={"pixels": {0: "batch"}, "logits": {0: "batch"}},
        dynamo=False,
    )


export(model, here / "digits.onnx")
columns = [*digits.data.columns, "digit"]
with open(here / "turned-digits.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(columns)
    for index in other:
        writer.writerow([*(int(value) for value in sideways[index].reshape(-1)), labels[index]])

# What tests drop: the same network in 16 bits, in 4, and with its numbers beside it; numbers as arrays; pictures in a zip.
export(Reader.half(Reader()).eval(), cases / "half.onnx", torch.float16)
plain = onnx.load(here / "digits.onnx")
quantizer = MatMulNBitsQuantizer(plain, bits=4, block_size=32, is_symmetric=True)
quantizer.process()
quantizer.model.save_model_to_file(str(cases / "four-bits.onnx"))
beside = onnx.load(here / "digits.onnx")
external_data_helper.convert_model_to_external_data(beside, location="beside.onnx.data", size_threshold=0)
(cases / "beside.onnx.data").unlink(missing_ok=True)
onnx.save(beside, cases / "beside.onnx")
few = other[:60]
np.savez(
    cases / "arrays.npz", pixels=sideways[few].reshape(-1, 64).astype(np.float32), labels=labels[few].astype(np.int64)
)
with zipfile.ZipFile(cases / "pictures.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for index in order[:200]:
        if labels[index] > 1:
            continue
        data = io.BytesIO()
        Image.fromarray((images[index] * 15).astype(np.uint8)).save(data, "PNG")
        name = "zero" if labels[index] == 0 else "one"
        archive.writestr(f"pictures/{name}/{index}.png", data.getvalue())


class Convolution(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 2)
        )

    def forward(self, pixels):
        return self.layers(pixels)


torch.onnx.export(
    Convolution().eval(),
    (torch.zeros(2, 1, 8, 8),),
    str(cases / "convolution.onnx"),
    input_names=["pixels"],
    output_names=["logits"],
    dynamic_axes={"pixels": {0: "batch"}, "logits": {0: "batch"}},
    dynamo=False,
)
