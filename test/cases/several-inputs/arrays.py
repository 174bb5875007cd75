"""Arrays of several inputs by their names, as NumPy saves them: the batches of the goldens beside, with their labels.

    python test/cases/several-inputs/arrays.py
"""

import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


def batch_of(name):
    golden = json.loads((FOLDER / f"{name}.golden.json").read_text())
    arrays = {
        key: np.array(value["data"], value.get("dtype", "float32")).reshape(value["shape"])
        for key, value in golden["inputs"].items()
    }
    return arrays, np.array(golden["labels"])


texts, labels = batch_of("bert-opset17")
texts["attention_mask"] = texts["attention_mask"].astype(np.uint8)
np.savez_compressed(FOLDER / "texts.npz", **texts, labels=labels)
np.savez(FOLDER / "held-texts.npz", **{key: value[:3] for key, value in texts.items()}, labels=labels[:3])
np.savez(FOLDER / "unlike.npz", **{**texts, "attention_mask": texts["attention_mask"][:2]}, labels=labels)
pictures, labels = batch_of("pictures-dynamo18")
pictures["mirrored"] = pictures["mirrored"].astype(bool)
np.savez(FOLDER / "pictures.npz", **pictures, stars=labels)
