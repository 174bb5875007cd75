"""Tiny text encoders of transformers as hubs have them, written to adapters/: in float32, and as ONNX Runtime quantizes and
optimizes them, and one of which nothing has a name that says anything.

    python test/goldens/adapter_files.py
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

OUT = Path(__file__).parent / "adapters"
SIZES = {"vocab_size": 24, "max_position_embeddings": 12}
NAMES = ["input_ids", "attention_mask"]


class Encoder(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def export(model, path):
    ids = torch.randint(0, 24, (2, 6))
    axes = {0: "batch_size", 1: "sequence_length"}
    torch.onnx.export(
        Encoder(model.eval()),
        (ids, torch.ones_like(ids)),
        str(path),
        input_names=NAMES,
        output_names=["last_hidden_state"],
        dynamic_axes={name: axes for name in [*NAMES, "last_hidden_state"]},
        opset_version=17,
        dynamo=False,
    )
    # Where a node came from is of no use here.
    file = onnx.load(str(path))
    for node in file.graph.node:
        node.ClearField("doc_string")
    onnx.save(file, str(path))


class Calibration(CalibrationDataReader):
    def __init__(self):
        random = np.random.default_rng(0)
        self.batches = iter(
            [
                {"input_ids": random.integers(0, 24, (2, 6)), "attention_mask": np.ones((2, 6), np.int64)}
                for _ in range(8)
            ]
        )

    def get_next(self):
        return next(self.batches, None)


def anonymous(path, out):
    """Values are numbers, and nodes have no names."""
    file = onnx.load(str(path))
    kept = {value.name for value in [*file.graph.input, *file.graph.output]}
    numbers = {}

    def name(old):
        return old if old == "" or old in kept else numbers.setdefault(old, str(len(numbers)))

    for tensor in file.graph.initializer:
        tensor.name = name(tensor.name)
    for node in file.graph.node:
        node.name = ""
        node.input[:] = [name(each) for each in node.input]
        node.output[:] = [name(each) for each in node.output]
    del file.graph.value_info[:]
    onnx.save(file, str(out))


torch.manual_seed(0)
logging.disable(logging.WARNING)
OUT.mkdir(exist_ok=True)
distilbert = DistilBertModel(
    DistilBertConfig(**SIZES, dim=8, hidden_dim=16, n_heads=2, n_layers=1, attn_implementation="eager")
)
bert = BertModel(
    BertConfig(
        **SIZES,
        hidden_size=8,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=2,
        attn_implementation="eager",
    )
)
float32 = OUT / "distilbert.onnx"
export(distilbert, float32)
quantize_dynamic(str(float32), str(OUT / "distilbert-int8.onnx"), weight_type=QuantType.QInt8)
quantize_static(
    str(float32), str(OUT / "distilbert-qdq.onnx"), Calibration(), op_types_to_quantize=["MatMul", "Gather"]
)
anonymous(float32, OUT / "distilbert-anonymous.onnx")
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "bert.onnx"
    export(bert, path)
    options = FusionOptions("bert")
    options.use_multi_head_attention = True
    optimized = optimize_model(
        str(path), model_type="bert", num_heads=2, hidden_size=8, optimization_options=options
    )
    print(optimized.get_fused_operator_statistics())
    optimized.save_model_to_file(str(OUT / "bert-heads.onnx"))
for path in sorted(OUT.glob("*.onnx")):
    print(path.name, path.stat().st_size)
