"""A decoder of the library transformers (Llama, three layers) by PyTorch's newer exporter, its matrices in 4 bits by ONNX Runtime's tool.

    python test/cases/decoder/make.py

quantized.onnx: MatMulNBits nodes, which the tool leaves without the modules that stand beside the other nodes; batch and
length are open. decoder.golden.json, by PyTorch in float64 on the dequantized matrices, with low-rank matrices A and B beside
each of them: the mean loss of each example over its next tokens, its derivatives along two directions of all A and B, and
the gradient of the mean loss by the A and B of the first and the last matrix. The numbers of A, B and the directions are sines of
their places (`numbers`).
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch.func import functional_call, grad, jvp
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parents[1] / "goldens"))
from exporting import dequantized, export, quantized

BATCH, LENGTH, VOCABULARY, RANK = 3, 7, 24, 2
torch.manual_seed(5)
config = LlamaConfig(
    vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=512, use_cache=False, attn_implementation="eager", initializer_range=0.3,
)  # fmt: skip


class Decoder(torch.nn.Module):
    """One argument, one result."""

    def __init__(self):
        super().__init__()
        self.net = LlamaForCausalLM(config)

    def forward(self, input_ids):
        return self.net(input_ids=input_ids).logits


def numbers(shape, place, scale):
    """scale · sin(place + 0.7 i), i: the place in the array, row by row."""
    count = int(np.prod(shape))
    return torch.from_numpy(scale * np.sin(place + 0.7 * np.arange(count))).reshape(shape)


model = Decoder().eval()
tokens = torch.randint(VOCABULARY, (BATCH, LENGTH + 1))
inputs, labels = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
axes = {"input_ids": {0: "batch_size", 1: "sequence_length"}}
proto = quantized(export(model, {"input_ids": inputs}, "logits", 18, True, axes), "nbits")
for entry in [*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output, proto.graph, proto]:
    left = [each for each in entry.metadata_props if each.key == "pkg.torch.onnx.name_scopes"]
    entry.ClearField("metadata_props")
    entry.metadata_props.extend(left)
(FOLDER / "quantized.onnx").write_bytes(proto.SerializeToString())

# Products are exported in the order in which they run.
weights = list(dequantized(proto).values())
double = model.double()
layers = [
    f"net.model.layers.{layer}.{name}_proj"
    for layer in range(3)
    for name in ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up", "mlp.down")
] + ["net.lm_head"]
assert len(weights) == len(layers)
frozen = {name: torch.from_numpy(weight.T.astype(np.float64)) for name, weight in zip(layers, weights)}
for name in layers:
    assert (frozen[name] - double.get_submodule(name).weight).abs().max() < 0.2, name


def low_rank(start, scale):
    """A and B of each matrix."""
    pairs = {}
    for index, name in enumerate(layers):
        rows, columns = frozen[name].shape
        pairs[name] = (
            numbers((RANK, columns), start + 2 * index, scale),
            numbers((rows, RANK), start + 2 * index + 1, scale),
        )
    return pairs


def losses(pairs):
    replaced = {f"{name}.weight": frozen[name] + b @ a for name, (a, b) in pairs.items()}
    logits = functional_call(double, replaced, (inputs,))
    return F.cross_entropy(logits.transpose(1, 2), labels, reduction="none").mean(1)


start = low_rank(0, 0.3)
each, derivatives = None, []
for direction in range(2):
    each, derivative = jvp(losses, (start,), (low_rank(100 * (direction + 1), 1),))
    derivatives.append(derivative.tolist())
gradients = grad(lambda pairs: losses(pairs).mean())(start)
golden = {
    "tokens": inputs.tolist(),
    "labels": labels.tolist(),
    "losses": each.tolist(),
    "derivatives": derivatives,
    "gradients": {
        end: {"A": gradients[name][0].flatten().tolist(), "B": gradients[name][1].flatten().tolist()}
        for end, name in (("first", layers[0]), ("last", layers[-1]))
    },
}
(FOLDER / "decoder.golden.json").write_text(json.dumps(golden, indent=1) + "\n")
