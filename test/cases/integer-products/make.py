"""A small attention block, quantized to 8 bits by quantize_dynamic with a scale for each column (integers.onnx), and as a
session of ONNX Runtime joins that at its extended level (joined.onnx: DynamicQuantizeMatMul and MatMulIntegerToFloat). Beside
them, by PyTorch with the matrices that the integers stand for: the loss mean(y²), and its derivative along 0.1 cos 50θ, once
for all parameters that the files keep as floats.

    python test/cases/integer-products/make.py
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

FOLDER = Path(__file__).parent
WIDTH = 16


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH, bias=bias) for bias in (True, False, True, True))

    def forward(self, x):
        y = self.norm(x)
        weights = torch.softmax(self.query(y) @ self.key(y).transpose(1, 2) / WIDTH**0.5, -1)
        return x + self.out(weights @ self.value(y))


torch.manual_seed(0)
module = Block()
with torch.no_grad():
    for parameter in module.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
x = torch.randn(2, 4, WIDTH)
integers, joined = FOLDER / "integers.onnx", FOLDER / "joined.onnx"
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "model.onnx"
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "batch"}, "y": {0: "batch"}}}
    torch.onnx.export(module, (x,), path, dynamo=False, opset_version=17, **names)
    quantize_dynamic(path, integers, per_channel=True, weight_type=QuantType.QInt8)
model = onnx.load(integers)
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
options.optimized_model_filepath = str(joined)
onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
fused = onnx.load(joined)
used = [each for each in fused.opset_import if each.domain in {"", *(node.domain for node in fused.graph.node)}]
fused.ClearField("opset_import")
fused.opset_import.extend(used)
onnx.save(fused, joined)

stored = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
frozen = set()
with torch.no_grad():
    for name in [name for name in stored if name.endswith("_quantized")]:
        base = name.removesuffix("_quantized")
        matrix = (stored[name].astype(np.float64) - stored[f"{base}_zero_point"]) * stored[f"{base}_scale"]
        for own, parameter in module.named_parameters():
            if parameter.dim() == 2 and np.allclose(parameter.numpy().T, matrix, atol=0.02):
                parameter.copy_(torch.from_numpy(matrix.T))
                frozen.add(own)
assert len(frozen) == 4
module.double()
kept = [parameter for name, parameter in module.named_parameters() if name not in frozen]
loss = module(x.double()).square().mean()
gradients = torch.autograd.grad(loss, kept)
shares = [float((gradient * 0.1 * torch.cos(50 * parameter)).sum()) for gradient, parameter in zip(gradients, kept)]
golden = {
    "x": x.flatten().tolist(),
    "parameters": len(kept),
    "loss": float(loss),
    "derivative": sum(shares),
    "scale": float(np.linalg.norm(shares)),
}
(FOLDER / "integer-products.golden.json").write_text(json.dumps(golden) + "\n")
print(sorted({node.op_type for node in fused.graph.node}), integers.stat().st_size, joined.stat().st_size)
