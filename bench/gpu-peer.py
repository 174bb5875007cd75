"""PyTorch's time of a training step for bench/gpu.mjs: forward-mode AD along k directions, and backpropagation.

Prints one JSON object a line: {"by", "milliseconds"}, or {"by", "note"} for what cannot run here. Tangents are drawn on
the device, and the forward gradient is the mean of d_i v_i.
"""

import argparse
import json
import statistics
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
parser.add_argument("--width", type=int, default=1024)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--tangents", type=int, default=16)
parser.add_argument("--rounds", type=int, default=7)
options = parser.parse_args()

forward, backward = "PyTorch, vmap(jvp)", "PyTorch, backprop"


def skip(by, note):
    print(json.dumps({"by": by, "note": note}), flush=True)


try:
    import torch
    from torch.func import functional_call, grad, jvp, vmap
except ImportError as error:
    skip("PyTorch", f"skipped, {error}")
    sys.exit()
if options.device == "cuda" and not torch.cuda.is_available():
    skip("PyTorch", "skipped, it finds no CUDA card")
    sys.exit()

width, batch, k = options.width, options.batch, options.tangents
torch.manual_seed(0)
torch.backends.cuda.matmul.allow_tf32 = False  # float32, as ONNX Runtime computes
network = torch.nn.Sequential(
    torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Linear(width, 10)
).to(options.device)
parameters = {name: value.detach().clone() for name, value in network.named_parameters()}
inputs = torch.rand(batch, width, device=options.device)
labels = torch.arange(batch, device=options.device) % 10


def loss(values):
    return torch.nn.functional.cross_entropy(functional_call(network, values, (inputs,)), labels)


def forward_gradient():
    tangents = {name: torch.randn(k, *value.shape, device=options.device) for name, value in parameters.items()}
    derivatives = vmap(lambda tangent: jvp(loss, (parameters,), (tangent,))[1])(tangents)
    return {name: torch.tensordot(derivatives, value, 1) / k for name, value in tangents.items()}


def step(gradient):
    for name, value in gradient().items():
        parameters[name].sub_(value, alpha=1e-6)
    if options.device == "cuda":
        torch.cuda.synchronize()


for by, gradient in [(forward, forward_gradient), (backward, lambda: grad(loss)(parameters))]:
    try:
        times = []
        for _ in range(options.rounds + 2):
            start = time.perf_counter()
            step(gradient)
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps({"by": by, "milliseconds": statistics.median(times[2:])}), flush=True)
    except RuntimeError as error:  # out of memory, above all
        skip(by, f"skipped, {str(error).splitlines()[0]}")
