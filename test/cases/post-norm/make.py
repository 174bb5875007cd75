"""A transformer of the library transformers whose layers normalize their sums (BERT), by PyTorch's older exporter.

    python test/cases/post-norm/make.py

encoder.onnx; stream.golden.json: the loss of a batch, and gradients by PyTorch in float64 where each layer is passed the gradient at
the last one's input by way of the residual sums and the normalizations behind them alone: what attention and dense layers add is
detached on that way.
"""

import json
import sys
from pathlib import Path

import torch
from torch.nn import functional as F
from transformers import BertConfig, BertForSequenceClassification

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parents[1] / "goldens"))
from exporting import export

BATCH, LENGTH, LAYERS = 3, 5, 4
torch.manual_seed(3)
config = BertConfig(
    vocab_size=20, hidden_size=8, num_hidden_layers=LAYERS, num_attention_heads=2, intermediate_size=12,
    max_position_embeddings=8, num_labels=4, attn_implementation="eager", initializer_range=0.3,
)  # fmt: skip


class Model(torch.nn.Module):
    """One argument, one result."""

    def __init__(self):
        super().__init__()
        self.net = BertForSequenceClassification(config)

    def forward(self, input_ids):
        return self.net(input_ids).logits


model = Model().eval()
# Fresh biases are equal, and an exporter stores equal numbers once.
for value in model.parameters():
    value.data += 0.1 * torch.randn_like(value)
tokens = torch.randint(20, (BATCH, LENGTH))
labels = torch.tensor([1, 3, 0])
axes = {"input_ids": {0: "batch"}}
(FOLDER / "encoder.onnx").write_bytes(export(model, {"input_ids": tokens}, "logits", 17, False, axes).SerializeToString())

double = model.double()
bert = double.net.bert
ends = [bert.embeddings(tokens)]
for layer in bert.encoder.layer:
    ends.append(layer(ends[-1].detach())[0] if isinstance(layer(ends[-1]), tuple) else layer(ends[-1].detach()))


def stream(layer, x):
    """A layer's end by way of its input alone."""
    inner = layer.attention.output
    added = inner.dense(layer.attention.self(x)[0]).detach()
    half = inner.LayerNorm(x + added)
    more = layer.output.dense(layer.intermediate(half)).detach()
    return layer.output.LayerNorm(half + more)


# The last layer and what follows are exact.
last_input = ends[-2].detach().requires_grad_()
out = bert.encoder.layer[-1](last_input)
out = out[0] if isinstance(out, tuple) else out
loss = F.cross_entropy(double.net.classifier(bert.pooler(out)), labels)
double.zero_grad()
loss.backward()
message = last_input.grad
# Backwards over the other layers: its block's parameters learn from the message at its end.
for index in reversed(range(LAYERS - 1)):
    layer = bert.encoder.layer[index]
    ends[index + 1].backward(message)
    x = ends[index].detach().requires_grad_()
    (message,) = torch.autograd.grad(stream(layer, x), x, message)
ends[0].backward(message)
golden = {
    "tokens": tokens.flatten().tolist(),
    "labels": labels.tolist(),
    "loss": loss.item(),
    "gradients": {
        name: value.grad.flatten().tolist()
        for name, value in double.named_parameters()
        if value.dim() == 1 and value.grad is not None
    },
}
(FOLDER / "stream.golden.json").write_text(json.dumps(golden, indent=1) + "\n")
print(len(golden["gradients"]), loss.item())
