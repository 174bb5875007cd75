"""Writes incomplete-beta.golden.json: I_x(a, b) from mpmath at 60 digits.

Run from the repository root: python3 src/linalg/incomplete-beta.golden.py (needs mpmath).
"""

import json
from pathlib import Path

from mpmath import betainc, mp, mpf

mp.dps = 60
points = [(x, a, b) for x in (0.001, 0.2, 0.5, 0.9, 0.999) for a, b in ((0.5, 0.5), (1, 3), (7, 2.5), (21, 30))]
# Tails of Student's t of 1, 2, 5, 999 and 39,999 degrees of freedom, near 0 and far out.
points += [(f / (f + t * t), f / 2, 0.5) for f in (1, 2, 5, 999, 39_999) for t in (0.01, 2.5, 6.0, 30.0)]
golden = [[x, a, b, float(betainc(mpf(a), mpf(b), 0, mpf(x), regularized=True))] for x, a, b in points]
rows = ",\n".join("  " + json.dumps(row) for row in golden)
Path(__file__).with_name("incomplete-beta.golden.json").write_text("[\n" + rows + "\n]\n")
