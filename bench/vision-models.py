"""Real vision files in float32, float16, int8 and 4 bits, and MNIST's digits as folders of pictures, for minilm.mjs.

python vision-models.py FILE.onnx MNIST OUT [TRAIN VALIDATION TEST [TURNED]]

FILE.onnx is for example ch_PP-OCRv4_rec_infer.onnx of the package rapidocr-onnxruntime, which reads lines of text: convolutions,
then two blocks of attention. MNIST is the folder of its four files. With TURNED, every picture is turned by its number in quarters, which a
reader of lines has not seen. int8 and 4 bits are of matrix products alone: ONNX
Runtime's convolutions of few bits round activations, too.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16
from PIL import Image

source, mnist, out = map(Path, sys.argv[1:4])
counts = dict(zip(["train", "val", "test"], map(int, sys.argv[4:7] or (300, 200, 300))))
turned = len(sys.argv) > 7
models = out / "models"
models.mkdir(parents=True, exist_ok=True)
float32 = str(models / "model.onnx")
model = onnx.load(str(source))
# PaddlePaddle's exporter keeps weights in Constant nodes, which quantizers do not look into.
for node in [node for node in model.graph.node if node.op_type == "Constant"]:
    tensor = node.attribute[0].t
    tensor.name = node.output[0]
    model.graph.initializer.append(tensor)
    model.graph.node.remove(node)
onnx.save(model, float32)
onnx.save(convert_float_to_float16(onnx.load(float32), keep_io_types=True), str(models / "model_fp16.onnx"))
quantize_dynamic(float32, str(models / "model_int8.onnx"), weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
four_bits = MatMulNBitsQuantizer(onnx.load(float32), block_size=32, is_symmetric=True)
four_bits.process()
four_bits.model.save_model_to_file(str(models / "model_q4.onnx"))
for path in sorted(models.glob("*.onnx")):
    print(path.name, path.stat().st_size)


def read(name):
    path = next(path for path in mnist.iterdir() if path.name.startswith(name))
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    return np.frombuffer(data, np.uint8, offset=16 if "images" in name else 8)


for part, images, start in [("train", "train", 0), ("val", "train", 30000), ("test", "t10k", 0)]:
    pixels, labels = read(f"{images}-images").reshape(-1, 28, 28), read(f"{images}-labels")
    for index in range(start, start + counts[part]):
        folder = out / ("validation" if part == "val" else f"pictures/{part}") / str(labels[index])
        folder.mkdir(parents=True, exist_ok=True)
        picture = np.rot90(pixels[index], index % 4 if turned else 0)
        Image.fromarray(picture).convert("RGB").save(folder / f"{index}.png")
