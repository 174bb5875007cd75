"""scikit-learn's wine table as pandas writes it, whose columns are on very different scales, and an MLP as PyTorch exports it; the same in
16 bits as ONNX Runtime's converter writes it, with inputs and outputs in 32 bits and without.

    python test/cases/scales/make.py
"""

import sys
from pathlib import Path

import onnx
import torch
from onnxruntime.transformers.float16 import convert_float_to_float16
from sklearn.datasets import load_wine

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parents[1] / "goldens"))
from exporting import export

wine = load_wine(as_frame=True)
frame = wine.frame.assign(target=[wine.target_names[number] for number in wine.target])
frame.sample(frac=1, random_state=1).to_csv(FOLDER / "wine.csv", index=False)
torch.manual_seed(1)
network = torch.nn.Sequential(torch.nn.Linear(13, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
axes = {"x": {0: "batch"}}
model = export(network.eval(), {"x": torch.zeros(2, 13)}, "y", 17, False, axes)
(FOLDER / "mlp.onnx").write_bytes(model.SerializeToString())
for name, keeps in [("mlp_fp16.onnx", True), ("mlp_fp16_io.onnx", False)]:
    onnx.save(convert_float_to_float16(onnx.load(FOLDER / "mlp.onnx"), keep_io_types=keeps), FOLDER / name)
