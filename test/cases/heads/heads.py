"""Tiny bodies without heads, exported by both of PyTorch's exporters, and what PyTorch makes of a linear head on them.

python heads.py: writes <body>-<exporter>.onnx and heads.json beside this file.
"""

import json
from pathlib import Path

import onnx
import torch
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, ResNetConfig, ResNetModel, ViTConfig, ViTModel

folder = Path(__file__).parent
torch.manual_seed(0)
batch, length, outputs = 3, 5, 4


class Body(torch.nn.Module):
    """A model whose only output is its last hidden state."""

    def __init__(self, model, names):
        super().__init__()
        self.model = model
        self.names = names
        self.eval()

    def forward(self, *inputs):
        return self.model(**dict(zip(self.names, inputs))).last_hidden_state


ids = torch.arange(batch * length).reshape(batch, length) * 7 % 19
mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
pictures = torch.sin(torch.arange(batch * 3 * 8 * 8, dtype=torch.float32)).reshape(batch, 3, 8, 8)
larger = torch.sin(torch.arange(batch * 3 * 16 * 16, dtype=torch.float32)).reshape(batch, 3, 16, 16)
small = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
bodies = {
    "bert": (
        Body(
            BertModel(
                BertConfig(vocab_size=19, max_position_embeddings=12, attn_implementation="eager", **small),
                add_pooling_layer=False,
            ),
            ["input_ids", "attention_mask"],
        ),
        {"input_ids": ids, "attention_mask": mask},
    ),
    "gpt2": (
        Body(
            GPT2Model(
                GPT2Config(
                    vocab_size=19, n_positions=12, n_embd=8, n_layer=2, n_head=2, use_cache=False, attn_implementation="eager"
                )
            ),
            ["input_ids", "attention_mask"],
        ),
        {"input_ids": ids, "attention_mask": mask},
    ),
    "vit": (
        Body(
            ViTModel(
                ViTConfig(image_size=8, patch_size=4, attn_implementation="eager", **small), add_pooling_layer=False
            ),
            ["pixel_values"],
        ),
        {"pixel_values": pictures},
    ),
    "resnet": (
        Body(
            ResNetModel(
                ResNetConfig(embedding_size=4, hidden_sizes=[4, 6], depths=[1, 1], layer_type="basic")
            ),
            ["pixel_values"],
        ),
        {"pixel_values": larger},
    ),
}


def pools(hidden, inputs):
    """What a head may read, by the name of the pool."""
    if hidden.dim() == 4:
        return {"mean": hidden.mean((2, 3))}
    if "attention_mask" in inputs:
        weights = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1)
        last = hidden[torch.arange(batch), inputs["attention_mask"].sum(1) - 1]
    else:
        mean, last = hidden.mean(1), hidden[:, -1]
    return {"mean": mean, "first": hidden[:, 0], "last": last, "none": hidden}


golden = {}
for name, (body, inputs) in bodies.items():
    # The older exporter stores equal tensors once, such as the first scales of all norms.
    with torch.no_grad():
        for parameter in body.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    for exporter in ["opset17", "dynamo18"]:
        file = f"{name}-{exporter}.onnx"
        values = tuple(inputs.values())
        names = list(inputs)
        if exporter == "opset17":
            axes = {0: "batch", 1: "length"} if "input_ids" in inputs else {0: "batch"}
            torch.onnx.export(
                body,
                values,
                str(folder / file),
                input_names=names,
                output_names=["last_hidden_state"],
                opset_version=17,
                dynamo=False,
                dynamic_axes={each: axes for each in [*names, "last_hidden_state"]},
            )
        else:
            size = torch.export.Dim("batch", min=1, max=64)
            shape = {0: size}
            program = torch.onnx.export(
                body,
                values,
                input_names=names,
                output_names=["last_hidden_state"],
                opset_version=18,
                dynamo=True,
                dynamic_shapes=(tuple(shape for _ in values),),
                verbose=False,
            )
            program.save(str(folder / file))
            # Where each node stood in the code.
            model = onnx.load(folder / file)
            for node in model.graph.node:
                del node.metadata_props[:]
            onnx.save(model, folder / file)
    with torch.no_grad():
        hidden = body(*inputs.values())
    results = {}
    for pool, value in pools(hidden, inputs).items():
        width = value.shape[-1]
        weight = torch.sin(torch.arange(outputs * width, dtype=torch.float32)).reshape(outputs, width)
        bias = torch.cos(torch.arange(outputs, dtype=torch.float32))
        results[pool] = torch.nn.functional.linear(value, weight, bias).flatten().tolist()
    golden[name] = {
        "inputs": {each: {"shape": list(value.shape), "data": value.flatten().tolist()} for each, value in inputs.items()},
        "logits": results,
    }
(folder / "heads.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
