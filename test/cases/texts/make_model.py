"""A small BERT of transformers that reads the tokens of wordpiece.golden.json, and reviews by pandas: CSV, and JSON Lines without stars.

    python test/cases/texts/make_model.py
"""

import random
import sys
from pathlib import Path

import pandas
import torch
from transformers import BertConfig, BertModel

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parents[1] / "goldens"))
from exporting import export

torch.manual_seed(5)
config = BertConfig(
    vocab_size=150, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    max_position_embeddings=32, initializer_range=0.5, attn_implementation="eager",
)  # fmt: skip


class Body(torch.nn.Module):
    """What transformers exports for sentence encoders."""

    def __init__(self):
        super().__init__()
        self.bert = BertModel(config, add_pooling_layer=False)

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state


inputs = {name: torch.ones(2, 5, dtype=torch.long) for name in ("input_ids", "attention_mask", "token_type_ids")}
axes = {name: {0: "batch", 1: "sequence"} for name in inputs}
model = export(Body().eval(), inputs, "last_hidden_state", 17, False, axes)
(FOLDER / "encoder.onnx").write_bytes(model.SerializeToString())

random.seed(2)
GOOD, BAD = ["a good film, really good", "the cat sat, good film", "hello good world"], ["bad! worst film ever", "the worst mat", "bad, the worst"]
texts = [(random.choice(words) + " " + random.choice(["ever", "world", "hello", "the mat"]), name) for _ in range(30) for words, name in ((GOOD, "up"), (BAD, "down"))]
frame = pandas.DataFrame(texts, columns=["review", "stars"])
frame.insert(0, "id", range(100, 100 + len(frame)))
frame.to_csv(FOLDER / "reviews.csv", index=False)
frame.head(6).drop(columns="stars").to_json(FOLDER / "new.jsonl", orient="records", lines=True)
