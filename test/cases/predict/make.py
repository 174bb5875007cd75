"""Makes the models, data and expected predictions beside it: PyTorch, NumPy, pandas and Pillow.

    python make.py
"""
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

here = Path(__file__).parent
torch.manual_seed(0)
random = np.random.default_rng(0)


def export(name, model, x):
    """Writes a model with an open batch axis; gives what it says of x."""
    model.eval()
    torch.onnx.export(
        model, (x,), here / f"{name}.onnx", input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}}, dynamo=False
    )
    with torch.no_grad():
        return model(x)


rows = torch.randn(7, 4)
images = torch.randn(5, 1, 4, 4)
expected = {"rows": rows.flatten().tolist(), "images": images.flatten().tolist()}

logits = nn.Linear(4, 3)
expected["classes"] = torch.softmax(export("logits", logits, rows), 1).flatten().tolist()
export("softmax", nn.Sequential(logits, nn.Softmax(1)), rows)
export("log-softmax", nn.Sequential(logits, nn.LogSoftmax(1)), rows)
expected["truths"] = export("truths", nn.Sequential(nn.Linear(4, 2), nn.Sigmoid()), rows).flatten().tolist()
expected["values"] = export("value", nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)), rows).flatten().tolist()
# [examples, positions, classes], as probabilities are returned.
pixels = torch.softmax(export("pixels", nn.Conv2d(1, 3, 3, padding=1), images), 1)
expected["pixels"] = pixels.permute(0, 2, 3, 1).flatten().tolist()
(here / "expected.golden.json").write_text(json.dumps(expected))

np.savez(here / "rows.npz", x=rows.numpy())
np.save(here / "rows.npy", rows.numpy())

# A table to learn from, and one without the column that is learned.
count = 90
table = pd.DataFrame({"size": random.normal(0, 1, count).round(3), "color": random.choice(["red", "green", "blue"], count)})
table["kind"] = np.where(table["size"] + (table["color"] == "red") > 0.3, "large, or red", "small")
table["price"] = (10 + 3 * table["size"] + (table["color"] == "red")).round(2)
table.to_csv(here / "train.csv", index=False)
new = table.iloc[:9].drop(columns=["kind", "price"])
new.insert(0, "id", [f"n{row}" for row in range(9)])
new["note"] = 'says "hello", twice'
new.to_csv(here / "new.csv", index=False)
new.to_json(here / "new.jsonl", orient="records", lines=True)

# Pictures without classes: a flat folder, and one with a folder inside.
for name, level in [("a.png", 20), ("b.png", 120), ("inside/c.png", 220)]:
    path = here / "pictures" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), level, np.uint8)).save(path)
