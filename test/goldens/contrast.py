"""InfoNCE of pairs in PyTorch, as sentence-transformers' MultipleNegativesRankingLoss computes it, with its gradient.

    python test/goldens/contrast.py
"""

import json
from pathlib import Path

import torch

torch.manual_seed(3)
cases = []
for pairs, numbers, temperature in ((4, 6, 0.05), (5, 3, 0.2), (2, 8, 1.0)):
    rows = torch.randn(2 * pairs, numbers, dtype=torch.float64, requires_grad=True)
    first, second = (torch.nn.functional.normalize(rows[start::2], dim=1) for start in (0, 1))
    scores = first @ second.T / temperature
    loss = torch.nn.functional.cross_entropy(scores, torch.arange(pairs))
    loss.backward()
    case = {"pairs": pairs, "numbers": numbers, "temperature": temperature, "loss": loss.item()}
    ranks = (scores > scores.diagonal()[:, None]).sum(1) + 1
    case |= {"accuracy": (ranks == 1).double().mean().item(), "reciprocal": (1 / ranks).mean().item()}
    cases.append(case | {"rows": rows.flatten().tolist(), "gradient": rows.grad.flatten().tolist()})
Path(__file__).with_name("contrast.golden.json").write_text(json.dumps(cases) + "\n")
