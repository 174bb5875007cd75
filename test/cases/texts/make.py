"""Small tokenizers of three kinds, trained here, and what transformers makes of odd texts with them: padded, cut off, alone and in pairs.

    python test/cases/texts/make.py
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

FOLDER = Path(__file__).parent
CORPUS = [
    "the cat sat on the mat", "a good film, really good", "bad! worst film ever", "naïve café déjà vu", "日本語 のテスト",
    "hello world hello", "it's John's dog's", "Привет мир", "مرحبا بالعالم", "numbers 123 4567",
]  # fmt: skip
TEXTS = [
    "the cat", "", " ", "😀 emoji 👩‍👩‍👧", "日本語テスト", "مرحبا!", "tab\tnew\nline\r\n", "\u0000ctrl\u0007",
    "naïve cafe\u0301 İstanbul ß", "a" * 150, "it's  two  spaces ", "[CLS] the [MASK] </s>", "ﬁ ①²", "\u200bzero\ufeff",
]  # fmt: skip


def wordpiece():
    """As BERT's."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=150, special_tokens=special))
    pair = "[CLS] $A [SEP] $B:1 [SEP]:1"
    both = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair=pair, special_tokens=both)
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer, "[PAD]"


def bpe():
    """Of bytes, as RoBERTa's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special, alphabet = ["<s>", "<pad>", "</s>", "<unk>"], pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, "<pad>"


def unigram():
    """As SentencePiece's."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=120, unk_token="<unk>", special_tokens=special)
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    both = [("<s>", 0), ("</s>", 2)]
    pair = "<s> $A </s> </s> $B </s>"
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair=pair, special_tokens=both)
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer, "<pad>"


def encoded(tokenizer, first, second, length):
    """ids, attention_mask and token_type_ids, [texts, longest]."""
    given = {"truncation": True, "max_length": length, "padding": "longest", "return_token_type_ids": True}
    result = tokenizer(first, second, **given)
    return [result[name] for name in ("input_ids", "attention_mask", "token_type_ids")]


def main():
    golden = {"texts": TEXTS, "encodings": {}}
    for make in (wordpiece, bpe, unigram):
        tokenizer, padding = make()
        tokenizer.save(str(FOLDER / f"{make.__name__}.golden.json"), pretty=False)
        for side in ("right", "left"):
            sides = {"padding_side": side, "truncation_side": side}
            fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=padding, **sides)
            for length in (5, 8, 40):
                alone = encoded(fast, TEXTS, None, length)
                pairs = encoded(fast, TEXTS, TEXTS[::-1], length)
                golden["encodings"][f"{make.__name__} {side} {length}"] = {"alone": alone, "pairs": pairs}
    (FOLDER / "encodings.golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
