"""One table of texts as pandas and Python's csv module write it, in the forms that people have.

    python test/cases/text-rows/make.py
"""

import csv
import gzip
from pathlib import Path

import pandas

FOLDER = Path(__file__).parent
TEXTS = [
    "plain words", "a comma, and a semicolon; here", 'she said "no"', "two\nlines", "naïve café 日本語 😀", "", "it's  two  spaces",
    'ends in a quote"', "a\n\nblank line inside", "tab\there", "| bars |", "[brackets] {braces}",
]  # fmt: skip


def main():
    rows = [(TEXTS[i % len(TEXTS)] + f" {i}", f"other {i}, too", "up" if i % 3 else "down") for i in range(40)]
    table = pandas.DataFrame(rows, columns=["the text", "pair", "label"])
    table.to_csv(FOLDER / "comma.csv", index=False)
    table.to_csv(FOLDER / "semicolon.csv", index=False, sep=";", lineterminator="\r\n")
    table.to_csv(FOLDER / "quoted.csv", index=False, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    table.to_csv(FOLDER / "wide.csv", index=False, sep="\t", encoding="utf-16")
    table.to_csv(FOLDER / "packed.csv.gz", index=False, compression={"method": "gzip", "mtime": 1})
    table.to_json(FOLDER / "lines.jsonl", orient="records", lines=True)
    table.to_json(FOLDER / "array.json", orient="records")
    table.to_csv(FOLDER / "no-names.csv", index=False, header=False)
    with open(FOLDER / "announced.csv", "w", newline="") as file:
        file.write("sep=|\r\n")
        table.to_csv(file, index=False, sep="|", lineterminator="\r\n")
    short = table.to_csv(index=False).replace('"other 31, too",up', '"other 31, too"')
    (FOLDER / "short-row.csv").write_text(short)
    (FOLDER / "cut.csv.gz").write_bytes(gzip.compress(table.to_csv(index=False).encode(), mtime=1)[:-40])


main()
