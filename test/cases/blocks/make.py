"""A transformer of the library transformers by PyTorch's two exporters, and as tools leave it that drop what nobody runs.

    python test/cases/blocks/make.py

script.onnx: nodes are named by their modules; scopes.onnx: the modules stand in the nodes' metadata; unnamed.onnx: neither.
blocks.golden.json: the loss of a batch, and gradients by PyTorch in float64 where each layer is passed the gradient at the last one's
input unchanged (what enters each layer is detached).
"""

import json
import sys
from pathlib import Path

import torch
from torch.nn import functional as F
from transformers import ViTConfig, ViTForImageClassification

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parents[1] / "goldens"))
from exporting import export

BATCH, LAYERS = 3, 3
torch.manual_seed(3)
config = ViTConfig(
    hidden_size=8, num_hidden_layers=LAYERS, num_attention_heads=2, intermediate_size=12, image_size=6, patch_size=3,
    num_channels=1, num_labels=4, attn_implementation="eager", initializer_range=0.3,
)  # fmt: skip


class Model(torch.nn.Module):
    """One argument, one result."""

    def __init__(self):
        super().__init__()
        self.net = ViTForImageClassification(config)

    def forward(self, pictures):
        return self.net(pictures).logits


model = Model().eval()
# Fresh biases are equal, and an exporter stores equal numbers once.
for value in model.parameters():
    value.data += 0.1 * torch.randn_like(value)
pictures = torch.randn(BATCH, 1, 6, 6)
labels = torch.tensor([1, 3, 0])

(FOLDER / "script.onnx").write_bytes(export(model, {"pictures": pictures}, "logits", 17, False).SerializeToString())
kept = {"pkg.torch.onnx.name_scopes", "pkg.torch.export.graph_signature.InputSpec.kind"}
for name, keys in (("scopes", kept), ("unnamed", set())):
    proto = export(model, {"pictures": pictures}, "logits", 20, True)
    for entry in [*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output, proto.graph, proto]:
        left = [each for each in entry.metadata_props if each.key in keys]
        entry.ClearField("metadata_props")
        entry.metadata_props.extend(left)
    (FOLDER / f"{name}.onnx").write_bytes(proto.SerializeToString())

double = model.double()
vit, ends = double.net.vit, []
ends.append(vit.embeddings(pictures.double()))
for layer in list(vit.layers)[:-1]:
    ends.append(layer(ends[-1].detach()))
entrance = ends[-1].detach().requires_grad_()
logits = double.net.classifier(vit.layernorm(vit.layers[-1](entrance))[:, 0])
assert torch.allclose(logits, double(pictures.double()))
loss = F.cross_entropy(logits, labels)
loss.backward()
for end in ends:
    end.backward(entrance.grad)
gradients = {name: value.grad.flatten().tolist() for name, value in double.named_parameters() if value.dim() == 1}
known = {"pictures": pictures.flatten().tolist(), "labels": labels.tolist(), "loss": loss.item(), "gradients": gradients}
(FOLDER / "blocks.golden.json").write_text(json.dumps(known) + "\n")
