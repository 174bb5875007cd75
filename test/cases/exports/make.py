"""Writes tables and arrays as pandas, NumPy, SciPy, PyTorch and Python's json write them, whose values are missing, easily
mistaken, or of a kind that is not read; marks.golden.json has what pandas and openpyxl take for a missing or failed value.

Run from the repository root: python3 test/cases/exports/make.py (made with pandas 3.1, NumPy 2.4, openpyxl 3.1, SciPy 1.17).
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.io
import sklearn.datasets
import torch
from openpyxl.cell.cell import ERROR_CODES
from pandas._libs.parsers import STR_NA_VALUES

here = Path(__file__).parent
rows = 12
amounts = np.round(np.random.default_rng(5).normal(0, 1500, rows), 2)
kinds = np.array(["a", "b"])[np.arange(rows) % 2]


def table(name, columns, **options):
    pd.DataFrame(columns | {"kind": kinds}).to_csv(here / name, index=False, **options)


marks = sorted(set(STR_NA_VALUES) | set(ERROR_CODES) | {"#WERT!", "#BEZUG!", "#NV", "\\N", "-", "--", "—", "."})
(here / "marks.golden.json").write_text(json.dumps(marks, ensure_ascii=False) + "\n")
table("categories.csv", {"country": ["NA", "DE", "FR"] * 4})

# Numbers: accounting formats, text that keeps its form, exponents of Fortran.
table("accounting.csv", {"amount": [f"${a:,.2f} " if a >= 0 else f"$({-a:,.2f})" for a in amounts]})
table("accounting-euros.csv", {"amount": [f"€ {a:,.2f}" if a >= 0 else f"€ ({-a:,.2f})" for a in amounts]})
table("formulas.csv", {"amount": [f'="{a}"' for a in amounts]})
(here / "amounts.golden.json").write_text(json.dumps(amounts.tolist()) + "\n")
table("fortran.csv", {"amount": [f"{a:.6E}".replace("E", "D") for a in amounts]})
table("apostrophes.csv", {"amount": [f"'{a}" for a in amounts]})

# Rows that were cleared in a spreadsheet.
text = pd.DataFrame({"amount": amounts, "kind": kinds}).to_csv(index=False, lineterminator="\r\n")
lines = text.split("\r\n")
(here / "cleared.csv").write_text("\r\n".join([",", *lines[:4], ",", *lines[4:-1], ",", ",", ""]), newline="")

# What is read but may not be meant.
pd.DataFrame({"amount": amounts, "kind": kinds}).reset_index().to_json(here / "index.jsonl", orient="records", lines=True)
table("zip-codes.csv", {"zip": ["01234", "90210", "01234", "10001"] * 3})
table("days.csv", {"day": pd.date_range("2024-01-28", periods=rows)})
table("names.csv", {"name": [f"Mr. {chr(65 + at)}" for at in range(rows)]})
table("capitals.csv", {"color": ["Red", "red", "RED ", "blue"] * 3})
pd.DataFrame({"amount": amounts, "kind": ["Yes", "yes", "no", "No"] * 3}).to_csv(here / "capital-classes.csv", index=False)
table("offset.csv", {"seconds": 1.7e9 + np.arange(rows) + 0.25})
table("point-groups.csv", {"count": ["1.234", "2.345", "12.345"] * 4}, sep=";")

disease = sklearn.datasets.load_diabetes(as_frame=True).frame[["bmi", "target"]].round(3)
disease.rename(columns={"target": "kind"}).astype({"kind": int}).to_csv(here / "disease.csv", index=False)

# What is refused.
for name, words in {"accents": ["rouge", "bleuté"], "end": ["bleu", "écru"], "after": ["x", "né"]}.items():
    (here / f"latin1-{name}.csv").write_bytes(f"color,kind\n{words[0]},a\n{words[1]},b\n".encode("cp1252"))
(here / "latin1-mixed.csv").write_bytes("color,kind\nécru".encode() + "é,a\n".encode("cp1252"))
(here / "nan.jsonl").write_text("".join(json.dumps({"x": x, "kind": "a"}) + "\n" for x in [1.5, float("nan")]))
(here / "commas.jsonl").write_text("".join(json.dumps({"x": x, "kind": "a"}) + ",\n" for x in [1.5, 2.5]))
(here / "columns.json").write_text(pd.DataFrame({"x": [1.5, 2.5], "kind": ["a", "b"]}).to_json())
pd.DataFrame({"x": [1.5, 2.5], "kind": ["a", "b"]}).to_stata(here / "survey.dta", write_index=False)
pd.DataFrame({"x": [1.5, 2.5], "kind": ["a", "b"]}).to_html(here / "report.html", index=False)
(here / "spaces.csv").write_text('x, color, kind\n1, "a, b", yes\n2, "c", no\n')
(here / "comments.csv").write_text("# written by a logger\nx,kind\n1,a\n2,b\n")

# Arrays.
x = np.random.default_rng(6).normal(size=(10, 3)).astype("float32")
y = np.arange(10) % 2
np.savez(here / "capitals.npz", X=x, y=y)
np.savez(here / "capital-parts.npz", X_train=x[:6], y_train=y[:6], X_test=x[6:], y_test=y[6:])
np.savez(here / "channels-last.npz", x=np.zeros((10, 6, 5, 3), "uint8"), y=y)
np.savez(here / "from-one.npz", x=x, y=y + 1)
np.savez(here / "gap.npz", x=x, y=np.where(y == 1, 255, 0))
np.savez(here / "offset.npz", x=1e9 + x.astype("float64"), y=y)
np.savez(here / "tiny.npz", x=1e-200 * x.astype("float64"), y=y)
np.savez(here / "words.npz", x=x, y=np.array(["cat", "dog"])[y])
torch.save({"x": torch.tensor(x[:2]), "y": torch.tensor(y[:2])}, here / "tensors.npz")
scipy.io.savemat(here / "matlab.npz", {"x": x[:2], "y": y[:2]}, appendmat=False)
np.savetxt(here / "text.npz.txt", x[:2])
(here / "packed.npz").write_bytes(gzip.compress((here / "capitals.npz").read_bytes(), mtime=0))
