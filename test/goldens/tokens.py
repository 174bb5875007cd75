"""What seqeval says of labelled entities, how tokenizers lay labels of words along pieces, and a tiny decoder of transformers
with its perplexity on plain text.

    python test/goldens/tokens.py        (needs tokenizers, transformers, torch and seqeval)
"""

import json
import random
from pathlib import Path

import onnx
import torch
from seqeval.metrics import f1_score, precision_score, recall_score
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

HERE = Path(__file__).parent
TOKENIZERS = HERE.parent / "cases" / "texts"
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
random.seed(0)


def entities():
    cases = []
    for names in (TAGS, ["O", "I-PER", "I-LOC"], [*TAGS, "E-PER", "S-LOC"]):
        truth = [[random.choice(names) for _ in range(random.randint(1, 9))] for _ in range(30)]
        taken = [[tag if random.random() < 0.7 else random.choice(names) for tag in row] for row in truth]
        scores = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
        cases.append({"truth": truth, "taken": taken, **{name: float(of(truth, taken)) for name, of in scores.items()}})
    return cases


def aligned(name, sentences, length):
    """Labels at first pieces, as transformers' examples of token classification have it."""
    tokenizer = Tokenizer.from_file(str(TOKENIZERS / f"{name}.golden.json"))
    if "ByteLevel" in json.dumps(json.loads(tokenizer.to_str())["pre_tokenizer"]):
        from tokenizers.pre_tokenizers import ByteLevel

        tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=True)
    tokenizer.enable_truncation(length)
    tokenizer.no_padding()
    rows = []
    for words, labels in sentences:
        encoding = tokenizer.encode(words, is_pretokenized=True)
        before, found = None, []
        for word in encoding.word_ids:
            found.append(None if word is None or word == before else labels[word])
            before = word
        rows.append({"ids": encoding.ids, "labels": found})
    return {"tokenizer": name, "length": length, "rows": rows}


def decoder():
    tokenizer = Tokenizer.from_file(str(TOKENIZERS / "bpe.golden.json"))
    tokenizer.no_truncation()
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(), n_positions=16, n_embd=8, n_layer=1, n_head=2, attn_implementation="eager"
    )
    model = GPT2LMHeadModel(config).eval()
    for parameter in model.parameters():
        parameter.data.mul_(3)

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits

    names = ["input_ids", "attention_mask"]
    axes = {0: "batch_size", 1: "sequence_length"}
    ids = torch.randint(0, config.vocab_size, (2, 8))
    torch.onnx.export(
        Logits(),
        (ids, torch.ones_like(ids)),
        str(HERE / "adapters" / "decoder.onnx"),
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: axes for name in [*names, "logits"]},
        opset_version=17,
        dynamo=False,
    )
    file = onnx.load(str(HERE / "adapters" / "decoder.onnx"))
    for node in file.graph.node:
        node.ClearField("doc_string")
    onnx.save(file, str(HERE / "adapters" / "decoder.onnx"))
    lines = ["hello good world\n", "the worst film ever\n", "\n", "a really good film, ever hello\n"] * 12
    text = "".join(lines)
    joined = [token for line in lines for token in tokenizer.encode(line, add_special_tokens=False).ids]
    length = 8
    blocks = [joined[at : at + length] for at in range(0, len(joined) // length * length, length)]
    batch = torch.tensor(blocks)
    with torch.no_grad():
        loss = model.eval()(input_ids=batch, labels=batch).loss  # the exporter left it in training mode
    return {"text": text, "length": length, "blocks": len(blocks), "perplexity": float(torch.exp(loss))}


WORDS = "hello good world the worst film ever really a mat bad unbelievable antidisestablishment".split()
SENTENCES = [
    ([random.choice(WORDS) for _ in range(n)], [random.choice(TAGS) for _ in range(n)]) for n in (1, 4, 7, 12)
]
golden = {
    "entities": entities(),
    "sentences": [{"words": words, "labels": labels} for words, labels in SENTENCES],
    "aligned": [aligned(name, SENTENCES, 9) for name in ("wordpiece", "bpe", "unigram")],
    "decoder": decoder(),
}
(HERE / "tokens.golden.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
