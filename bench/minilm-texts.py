"""Texts for minilm.mjs: the first paragraphs of docstrings, and the package that each comes from, whose names are left out.

python minilm-texts.py OUT_FOLDER [TRAIN TEST]: train.csv, 120 texts of each of 5 packages, and test.csv, 60 of each, or as many as said.
"""

import csv
import importlib
import inspect
import pkgutil
import re
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
packages = ["numpy", "scipy", "sklearn", "torch", "transformers"]
train, test = map(int, sys.argv[2:4] or (120, 60))


def docstrings(package):
    """Public functions' and classes' first paragraphs, without names of packages, each once, in a fixed order."""
    found = {}
    root = importlib.import_module(package)
    for info in pkgutil.walk_packages(root.__path__, package + ".", onerror=lambda _: None):
        if re.search(r"\b(tests?|_|conftest|setup|models|testing|distributed|cuda)", info.name) or len(found) > 4000:
            continue
        try:
            module = importlib.import_module(info.name)
        except BaseException:
            continue
        for name, member in sorted(vars(module).items()):
            owner = getattr(member, "__module__", None) or ""
            if name.startswith("_") or not callable(member) or not owner.startswith(package):
                continue
            text = re.sub(r"\s+", " ", (inspect.getdoc(member) or "").split("\n\n")[0])
            text = re.sub(r"(?i)numpy|scipy|scikit-learn|sklearn|pytorch|torch|transformers|hugging ?face|\bnp\b", "it", text)
            if 40 < len(text) < 300 and "(" not in text[:20]:
                found[text] = None
    return sorted(found, key=lambda text: hash_of(text))


def hash_of(text):
    value = 7
    for byte in text.encode():
        value = (value * 1664525 + byte + 1013904223) % 2**32
    return value


parts = {"train": [], "test": []}
for package in packages:
    for index, text in enumerate(docstrings(package)[: train + test]):
        parts["train" if index < train else "test"].append((text, package))
for part, rows in parts.items():
    with open(Path(sys.argv[1]) / f"{part}.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "package"), *rows])
    print(part, len(rows))
