"""Models of several inputs: a tiny BERT of transformers with masks and token types, two pictures with a truth, and a table beside a
picture, exported by PyTorch, with PyTorch's losses and gradients in float64.

    python test/cases/several-inputs/make.py
"""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertForSequenceClassification

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "goldens")]
from exporting import export, remove_metadata

FOLDER = Path(__file__).parent
LABELS = torch.tensor([0, 2, 1, 2])
BATCH = len(LABELS)


class Bert(nn.Module):
    """Of transformers, in the order of inputs that its exporters write."""

    def __init__(self):
        super().__init__()
        config = BertConfig(
            vocab_size=24, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12,
            max_position_embeddings=10, num_labels=3, initializer_range=0.4, hidden_dropout_prob=0,
            attention_probs_dropout_prob=0, attn_implementation="eager",
        )  # fmt: skip
        self.bert = BertForSequenceClassification(config)

    def forward(self, input_ids, attention_mask, token_type_ids):
        inputs = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
        return self.bert(input_ids=input_ids, **inputs).logits


class Pictures(nn.Module):
    """Two pictures through one convolution, the second one mirrored where a truth says so."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 2, 3, stride=2), nn.Linear(8, 3)

    def forward(self, left, right, mirrored):
        turned = torch.where(mirrored[:, None, None, None], right.flip(3), right)
        seen = [self.conv(each).tanh().flatten(1) for each in (left, turned)]
        return self.head((seen[0] - seen[1]).sin())


class Beside(nn.Module):
    """A picture, columns of another length, and a category of 32 bits."""

    def __init__(self):
        super().__init__()
        self.conv, self.table, self.head = nn.Conv2d(2, 2, 3), nn.Embedding(5, 4), nn.Linear(9, 3)

    def forward(self, category, columns, picture):
        seen = self.conv(picture).tanh().mean((2, 3))
        return self.head(torch.cat([seen, columns, self.table(category.long())], 1))


def tensor(value):
    kind = {} if value.is_floating_point() else {"dtype": "int64"}
    data = [float(f"{x:.9g}") if kind == {} else int(x) for x in value.detach().flatten().tolist()]
    return {"shape": list(value.shape), "data": data, **kind}


def gradients_of(wide, model):
    """By initializer, which exporters rename and transpose: found by their values."""
    known = {name: p for name, p in wide.named_parameters()}
    found = {}
    for stored in model.graph.initializer:
        if stored.data_type != TensorProto.FLOAT or len(stored.dims) == 0:
            continue
        value = numpy_helper.to_array(stored)
        for p in known.values():
            for turn in (lambda x: x, lambda x: x.T) if p.dim() == 2 else (lambda x: x,):
                own = turn(p.detach()).float().numpy()
                if own.shape == value.shape and np.array_equal(own, value):
                    found[stored.name] = tensor(turn(p.grad))
        assert stored.name in found, stored.name
    return found


def save(name, module, inputs, opset, dynamo, axes=None):
    for parameter in module.parameters():  # biases of zero and factors of one look alike
        nn.init.normal_(parameter, std=0.4)
    model = export(module, inputs, "logits", opset, dynamo, axes)
    remove_metadata(model)
    onnx.save_model(model, FOLDER / f"{name}.onnx")
    wide = copy.deepcopy(module).double()
    fed = [value.double() if value.is_floating_point() else value for value in inputs.values()]
    loss = F.cross_entropy(wide(*fed), LABELS)
    loss.backward()
    golden = {
        "inputs": {key: tensor(value) for key, value in inputs.items()},
        "labels": LABELS.tolist(),
        "output": "logits",
        "loss": loss.item(),
        "gradients": gradients_of(wide, model),
    }
    (FOLDER / f"{name}.golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(name, (FOLDER / f"{name}.onnx").stat().st_size, "bytes", loss.item(), list(golden["gradients"]))


def main():
    torch.manual_seed(3)
    length = 6
    lengths = torch.tensor([6, 3, 5, 4])
    mask = (torch.arange(length) < lengths[:, None]).long()
    ids = torch.randint(1, 24, (BATCH, length)) * mask
    types = (torch.arange(length) >= 3).long() * mask
    texts = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    open_axes = {name: {0: "batch_size", 1: "sequence_length"} for name in texts}
    save("bert-opset17", Bert().eval(), texts, 17, False, open_axes)
    save("bert-dynamo18", Bert().eval(), texts, 18, True, open_axes)
    pictures = {"left": torch.randn(BATCH, 1, 6, 6), "right": torch.randn(BATCH, 1, 6, 6)}
    save("pictures-dynamo18", Pictures(), {**pictures, "mirrored": torch.tensor([True, False, False, True])}, 18, True)
    beside = {
        "category": torch.tensor([4, 0, 2, 2], dtype=torch.int32),
        "columns": torch.randn(BATCH, 3),
        "picture": torch.randn(BATCH, 2, 5, 4),
    }
    save("beside-opset17", Beside(), beside, 17, False)


main()
