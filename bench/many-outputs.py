"""A language model and its text for many-outputs.mjs: the next of 1,000 words, by PyTorch's exporter.

    python bench/many-outputs.py FOLDER

The text is that of Python's own help (pydoc_data). A transformer of two layers, width 32, on 16 tokens.
"""

import collections
import re
import sys
from pathlib import Path

import numpy as np
import torch
from pydoc_data import topics
from torch import nn

WORDS, TOKENS, WIDTH = 1000, 16, 32


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.register_buffer("mask", torch.triu(torch.full((TOKENS, TOKENS), -1e9), 1))

    def forward(self, x):
        h = self.before_attention(x)
        q, k, v = (
            each(h).reshape(-1, TOKENS, 2, WIDTH // 2).transpose(1, 2) for each in (self.query, self.key, self.value)
        )
        attended = torch.softmax(q @ k.transpose(2, 3) / (WIDTH // 2) ** 0.5 + self.mask, -1) @ v
        x = x + self.out(attended.transpose(1, 2).reshape(-1, TOKENS, WIDTH))
        return x + self.down(torch.relu(self.up(self.before_mlp(x))))


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, WIDTH)
        self.position = nn.Parameter(torch.randn(TOKENS, WIDTH) * 0.02)
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WORDS)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def main():
    folder = Path(sys.argv[1])
    text = " ".join(topics.topics[name] for name in sorted(topics.topics))
    words = re.findall(r"[A-Za-z]+|[^\sA-Za-z]", text)
    known = {word: 1 + place for place, (word, _) in enumerate(collections.Counter(words).most_common(WORDS - 1))}
    np.array([known.get(word, 0) for word in words], dtype=np.int32).tofile(folder / "tokens.i32")
    torch.manual_seed(0)
    axes = {"tokens": {0: "batch"}, "logits": {0: "batch"}}
    names = {"input_names": ["tokens"], "output_names": ["logits"]}
    example = torch.zeros(2, TOKENS, dtype=torch.int64)
    torch.onnx.export(
        LanguageModel(), (example,), folder / "language.onnx", opset_version=18, dynamo=False, dynamic_axes=axes, **names
    )


main()
