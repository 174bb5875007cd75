"""Exports small decoders of transformers' Llama (random weights) to ONNX, and quantizes their matrices to 4 bits.

python llama-models.py OUT_FOLDER [LAYERS ...]

Writes llama-LAYERS.onnx (float32) and llama-LAYERS-q4.onnx (MatMulNBits, blocks of 32), and tokens.npy: the bytes of
Python's own reference texts (pydoc_data), uint8, which `llama.mjs` takes as tokens.
"""

import logging
import sys
import warnings
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import onnx
import torch
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from transformers import LlamaConfig, LlamaForCausalLM

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
depths = [int(each) for each in sys.argv[2:]] or [2, 4, 8, 16, 24]


class Decoder(torch.nn.Module):
    def __init__(self, layers):
        super().__init__()
        torch.manual_seed(layers)
        config = LlamaConfig(
            vocab_size=256,
            hidden_size=256,
            intermediate_size=704,
            num_hidden_layers=layers,
            num_attention_heads=8,
            num_key_value_heads=4,
            max_position_embeddings=256,
            use_cache=False,
            attn_implementation="eager",
        )
        self.model = LlamaForCausalLM(config).eval()

    def forward(self, input_ids):
        return self.model(input_ids=input_ids).logits


for layers in depths:
    path = out / f"llama-{layers}.onnx"
    axes = {0: torch.export.Dim("batch_size"), 1: torch.export.Dim("sequence_length")}
    torch.onnx.export(
        Decoder(layers),
        (torch.zeros(2, 64, dtype=torch.int64),),
        str(path),
        input_names=["input_ids"],
        output_names=["logits"],
        dynamic_shapes=(axes,),
        opset_version=18,
        dynamo=True,
        external_data=False,
    )
    quantizer = MatMulNBitsQuantizer(onnx.load(str(path)), block_size=32, is_symmetric=True)
    quantizer.process()
    quantizer.model.save_model_to_file(str(out / f"llama-{layers}-q4.onnx"))
    print(layers, *(p.stat().st_size for p in sorted(out.glob(f"llama-{layers}[-.]*"))))

text = "\n".join(topics[name] for name in sorted(topics)).encode()
np.save(out / "tokens.npy", np.frombuffer(text, np.uint8))
print("bytes of text", len(text))
