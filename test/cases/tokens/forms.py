"""words.conll in the forms that people have: other encodings, ends of lines, and packed.

    python test/cases/tokens/forms.py
"""

import gzip
import lzma
from pathlib import Path

FOLDER = Path(__file__).parent
text = (FOLDER / "words.conll").read_text("utf-8")
(FOLDER / "words-utf16.conll").write_bytes(text.encode("utf-16"))
(FOLDER / "words-no-mark.conll").write_bytes(text.encode("utf-16-le"))
(FOLDER / "words-cr.conll").write_bytes(text.replace("\n", "\r").encode())
(FOLDER / "words-crlf.conll").write_bytes(text.replace("\n", "\r\n").encode())
(FOLDER / "words.conll.gz").write_bytes(gzip.compress(text.encode(), mtime=1))
(FOLDER / "words.conll.xz").write_bytes(lzma.compress(text.encode()))
