"""scikit-learn's wine table as pandas writes it, whose columns are on very different scales, and an MLP as PyTorch exports it.

    python test/cases/scales/make.py
"""

import sys
from pathlib import Path

import torch
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
