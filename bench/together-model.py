"""A small vision transformer that has learned MNIST's digits, as PyTorch's exporter writes it: what bench/together-fine-tuning.mjs adapts.

    python bench/together-model.py --data-dir MNIST --out vit.onnx
"""

import argparse
import gzip
import pathlib

import numpy as np
import torch
from torch import nn


def read(folder, name, offset, shape):
    plain = pathlib.Path(folder) / name
    data = plain.read_bytes() if plain.exists() else gzip.decompress(plain.with_suffix(plain.suffix + ".gz").read_bytes())
    return np.frombuffer(data, np.uint8, offset=offset).reshape(shape)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def forward(self, x):
        batch, length, width = x.shape
        y = self.norm1(x)
        split = lambda z: z.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2)
        q, k, v = split(self.query(y)), split(self.key(y)), split(self.value(y))
        weights = torch.softmax(q @ k.transpose(2, 3) / (width // self.heads) ** 0.5, dim=-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(batch, length, width))
        return x + self.down(torch.relu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, width=64, heads=4, layers=3, patch=7):
        super().__init__()
        self.patch = nn.Conv2d(1, width, patch, patch)
        self.position = nn.Parameter(0.02 * torch.randn(1, (28 // patch) ** 2, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, images):
        x = self.patch(images).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


parser = argparse.ArgumentParser()
parser.add_argument("--data-dir", required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--epochs", type=int, default=6)
flags = parser.parse_args()
torch.manual_seed(0)
torch.set_num_threads(1)
images = torch.tensor(read(flags.data_dir, "train-images-idx3-ubyte", 16, (-1, 1, 28, 28)) / 255.0, dtype=torch.float32)
labels = torch.tensor(read(flags.data_dir, "train-labels-idx1-ubyte", 8, (-1,)).astype(np.int64))
tests = torch.tensor(read(flags.data_dir, "t10k-images-idx3-ubyte", 16, (-1, 1, 28, 28)) / 255.0, dtype=torch.float32)
truth = torch.tensor(read(flags.data_dir, "t10k-labels-idx1-ubyte", 8, (-1,)).astype(np.int64))
model = Transformer()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
steps = flags.epochs * (len(images) // 128)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
for epoch in range(flags.epochs):
    for chosen in torch.randperm(len(images))[: len(images) // 128 * 128].split(128):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[chosen]), labels[chosen]).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        print(epoch + 1, (model(tests).argmax(1) == truth).float().mean().item(), flush=True)
model.eval()
torch.onnx.export(
    model, (images[:1],), flags.out, input_names=["images"], output_names=["scores"],
    dynamic_axes={"images": {0: "batch"}, "scores": {0: "batch"}}, opset_version=17, dynamo=False,
)
