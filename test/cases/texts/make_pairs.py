"""Pairs of texts by pandas: the second one says each word of the first by another one, always the same.

    python test/cases/texts/make_pairs.py
"""

import random
from pathlib import Path

import pandas

random.seed(4)
WORDS = ["good", "film", "cat", "mat", "sat", "hello"]
OTHER = dict(zip(WORDS, ["bad", "world", "worst", "ever", "really", "the"]))
seen = set()
while len(seen) < 60:
    seen.add(tuple(random.sample(WORDS, 3)))
rows = [(" ".join(words), " ".join(OTHER[word] for word in words)) for words in sorted(seen, key=lambda _: random.random())]
pandas.DataFrame(rows, columns=["question", "answer"]).to_csv(Path(__file__).with_name("pairs.csv"), index=False)
