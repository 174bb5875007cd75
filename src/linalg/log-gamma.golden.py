"""Writes log-gamma.golden.json: ln Γ(x), and ln Γ(x + 1/2) − ln Γ(x), from mpmath at 60 digits.

Run from the repository root: python3 src/linalg/log-gamma.golden.py (needs mpmath).
Prints the series coefficients of log-gamma.ts, to compare.
"""

import json
from pathlib import Path

from mpmath import loggamma, mp, mpf, zeta

mp.dps = 60
points = [1e-300, 1e-8, 0.1, 0.25, 0.499, 0.5, 0.75, 0.999, 1.0, 1 + 2**-40, 1.25, 1.4999, 1.5, 1.75, 1.999]
points += [2.0, 2 + 2**-40, 2.25, 2.5, 2.75, 3.0, 3.5, 4.2, 5.0, 6.5, 7.9, 8.0, 9.5, 9.999, 10.0, 10.5, 12.0]
points += [19.5, 20.0, 32.0, 171.5, 172.0, 343.5, 512.0, 1000.5, 12345.5, 1e6, 1e8 + 0.5, 1e15, 1e100, 1e300]

golden = {
    "logGamma": [[x, float(loggamma(mpf(x)))] for x in points],
    "logGammaHalfStep": [
        [x, float(loggamma(mpf(x) + mpf(1) / 2) - loggamma(mpf(x)))] for x in points if 0.5 <= x <= 1e15
    ],
}
target = Path(__file__).with_name("log-gamma.golden.json")
rows = ",\n".join(
    f'  "{name}": [\n' + ",\n".join("    " + json.dumps(row) for row in table) + "\n  ]"
    for name, table in golden.items()
)
target.write_text("{\n" + rows + "\n}\n")

for k in range(2, 28):
    print(f"  {float((-1) ** k * (zeta(k) - 1) / k)!r},")
print("1 - Euler's constant", float(1 - mp.euler), "ln(2 pi)/2", float(mp.log(2 * mp.pi) / 2))
