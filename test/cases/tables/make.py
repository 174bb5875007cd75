"""Writes tables as pandas, Python's csv module, openpyxl, SQLite and spreadsheets of several countries write them, and
expected.golden.json with the numbers that they hold: {file: {column: numbers}}.

Run from the repository root: python3 test/cases/tables/make.py (made with pandas 3.0 and openpyxl 3.1).
"""

import csv
import gzip
import io
import json
import sqlite3
import struct
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd

here = Path(__file__).parent
random = np.random.default_rng(13)
expected = {}


def keep(name, data):
    (here / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def spreadsheet(name, columns, write, separator, first="", encoding="utf-8"):
    """A spreadsheet's export: quotes only where they are needed, line ends of Windows, a column `kind` of words at the end."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\r\n")
    writer.writerow([*columns, "kind"])
    for row, values in enumerate(zip(*columns.values())):
        writer.writerow([*map(write, values), "ab"[row % 2]])
    keep(name, (first + text.getvalue()).encode(encoding))
    expected[name] = {column: list(map(float, values)) for column, values in columns.items()}


def grouped(group, decimal, places=2, minus="-"):
    def write(value):
        text = f"{abs(value):,.{places}f}".replace(",", "G").replace(".", decimal).replace("G", group)
        return (minus if value < 0 else "") + text

    return write


values = [1234.5, -0.25, 1234567.75, 12.5, -98765.25, 3.0]
small = [0.5, 1.25, 2.75, 3.5, 4.0, 5.25]
both = {"amount": values, "size": small}
spreadsheet("german.csv", both, grouped(".", ","), ";")
spreadsheet("french.csv", both, grouped("\u202f", ",", minus="\u2212"), ";")
spreadsheet("polish.csv", both, grouped("\u00a0", ","), ";", encoding="utf-8-sig")
spreadsheet("swiss.csv", both, grouped("\u2019", "."), ";")
spreadsheet("american.csv", both, grouped(",", "."), ",")
spreadsheet("unicode-text.txt", both, grouped(".", ","), "\t", encoding="utf-16")
spreadsheet("announced.csv", both, grouped(" ", ","), ";", first="sep=;\r\n")
spreadsheet("bars.csv", both, grouped(",", "."), "|")
spreadsheet("whole-groups.csv", {"count": [1200, 999, 56000, 7100]}, lambda value: f"{value:,}", ",")
spreadsheet("german-groups.csv", {"count": [1200, 999, 56000, 7100], "share": [0.5, 1.25, 2.5, 0.75]},
            lambda value: grouped(".", ",")(value) if isinstance(value, float) else f"{value:,}".replace(",", "."), ";")
spreadsheet("indian.csv", {"price": [1234567.5, 123456, 99999, 12345678.25]},
            lambda value: {1234567.5: "₹12,34,567.5", 123456: "₹1,23,456", 99999: "₹99,999", 12345678.25: "₹1,23,45,678.25"}[value], ",")
spreadsheet("percent.csv", {"rate": [0.125, 0.23, -0.045, 1.2]}, lambda value: f"{100 * value:.1f}%", ",")
spreadsheet("percent-comma.csv", {"rate": [0.125, 0.23, -0.045, 1.2]}, lambda value: f"{100 * value:.1f} %".replace(".", ","), ";")
spreadsheet("dollars.csv", {"price": values}, lambda value: f"(${-value:,.2f})" if value < 0 else f"${value:,.2f}", ",")
spreadsheet("euros.csv", {"price": values}, lambda value: grouped(".", ",")(value) + " €", ";")
spreadsheet("francs.csv", {"price": values}, lambda value: ("-" if value < 0 else "") + "CHF " + grouped("'", ".")(abs(value)), ",")
spreadsheet("hexadecimal.csv", {"code": [31, 255, 4096, 7]}, hex, ",")
spreadsheet("scientific.csv", {"x": [1.5e-3, 2.5e10, -3.25e2, 4e0]}, lambda value: f"{value:.3e}".replace(".", ","), ";")
for separator, name in [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")]:
    keep(f"two-{name}.csv", f"x{separator}price\n0.5{separator}0\n1.5{separator}10\n2.5{separator}20\n")
    expected[f"two-{name}.csv"] = {"x": [0.5, 1.5, 2.5], "price": [0, 10, 20]}
keep("two-quoted.csv", '"x, in cm";"price; net"\r\n"0,5";"1,0"\r\n"1,5";"2,0"\r\n')
expected["two-quoted.csv"] = {"x, in cm": [0.5, 1.5], "price; net": [1, 2]}

frame = pd.DataFrame({"a": random.normal(size=6).round(3), "b": random.integers(0, 100, 6), "kind": list("xyxyxy")})
numbers = {"a": frame.a.tolist(), "b": [float(value) for value in frame.b]}
for name, text in {
    "pandas.csv.gz": gzip.compress(frame.to_csv(index=False).encode(), mtime=0),
    "gzipped-without-ending.csv": gzip.compress(frame.to_csv(index=False, sep="\t").encode(), mtime=0),
    "two-members.gz": gzip.compress(frame.to_csv(index=False).encode()[:40], mtime=0)
    + gzip.compress(frame.to_csv(index=False).encode()[40:], mtime=0),
    "pandas-german.csv": frame.to_csv(index=False, sep=";", decimal=","),
    "lines.jsonl": frame.to_json(orient="records", lines=True),
    "lines.json.gz": gzip.compress(frame.to_json(orient="records", lines=True).encode(), mtime=0),
    "records.json": frame.to_json(orient="records", indent=1),
}.items():
    keep(name, text)
    expected[name] = numbers

# Rows without a header, as scikit-learn's and UCI's files have them.
iris = ["5.1,3.5,1.4,0.2,Iris-setosa", "4.9,3.0,1.4,0.2,Iris-setosa", "7.0,3.2,4.7,1.4,Iris-versicolor", "6.4,3.2,4.5,1.5,Iris-versicolor"]
keep("headless-iris.csv", "\n".join(iris) + "\n")
keep("headless-numbers.csv", "\n".join(",".join(map(str, row)) for row in random.integers(0, 9, (5, 3))) + "\n")
keep("headless-words.csv", "p,x,s\ne,x,s\np,y,s\ne,b,t\n")
keep("years.csv", "2019,2020,country\n1.5,2.5,Chad\n2.5,3.5,Peru\n3.5,4.5,Chad\n")
expected["years.csv"] = {"2019": [1.5, 2.5, 3.5], "2020": [2.5, 3.5, 4.5]}

# What is refused.
keep("mixed.csv", 'price,kind\n"1.234,50",a\n"2.345,50",b\n"3,456.50",a\n')
keep("mixed-currency.csv", "price,kind\n$5,a\n$6,b\n€7,a\n")
keep("mixed-percent.csv", "rate,kind\n5%,a\n6%,b\n0.07,a\n8%,b\n")
keep("units.csv", "weight,kind\n5 kg,a\n6 kg,b\n7.5 kg,a\n")
keep("dates.csv", "day,kind\n05.01.2024,a\n06.01.2024,b\n07.02.2024,a\n")
keep("ambiguous.csv", "price;kind\n1,234;a\n5,678;b\n")
keep("latin1.csv", "größe,kind\n1,a\n2,b\n".encode("latin-1"))
keep("nested.jsonl", '{"x": [1, 2], "kind": "a"}\n{"x": [3, 4], "kind": "b"}\n')
book = openpyxl.Workbook()
book.active.append(["x", "kind"])
book.active.append([1.5, "a"])
book.save(here / "book.xlsx")
with sqlite3.connect(here / "base.sqlite") as base:
    base.execute("PRAGMA page_size=512")
    base.execute("CREATE TABLE IF NOT EXISTS t (x REAL, kind TEXT)")
beginnings = {
    "table.parquet": b"PAR1" + bytes(20) + b"PAR1",
    "table.feather": b"ARROW1\0\0" + bytes(20) + b"ARROW1",
    "stream.arrow": b"\xff\xff\xff\xff" + struct.pack("<I", 64) + bytes(64),
    "old.xls": bytes.fromhex("d0cf11e0a1b11ae1") + bytes(24),
    "sheet.ods": b"PK\3\4" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet" + bytes(8),
    "store.h5": b"\x89HDF\r\n\x1a\n" + bytes(24),
}
for name, data in beginnings.items():
    keep(name, data)

# Whole numbers that float32 does not tell apart.
keep("times.csv", "t,kind\n1700000000001,a\n1700000000002,b\n1700000000003,a\n")
keep("identifiers.csv", "id,kind\n9007199254740992,a\n9007199254740993,b\n5,a\n")
keep("thousands.csv", 'n,kind\n"16,777,216",a\n"16,777,217",b\n"2,000",a\n')

(here / "expected.golden.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
