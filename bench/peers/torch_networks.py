"""Networks in PyTorch, of the same sizes as those in bench/networks.mjs, and a step of backpropagation with each."""
from problem import *

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(config["threads"])
torch.manual_seed(7)


class Residual(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.GroupNorm(min(32, after), after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.GroupNorm(min(32, after), after)
        self.shortcut = nn.Identity() if stride == 1 else nn.Sequential(
            nn.Conv2d(before, after, 1, stride, bias=False), nn.GroupNorm(min(32, after), after))

    def forward(self, x):
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


def resnet18(width):
    stages, before = [], width
    for stage in range(4):
        for block in range(2):
            after = width * 2 ** stage
            stages.append(Residual(before, after, 2 if stage > 0 and block == 0 else 1))
            before = after
    return nn.Sequential(
        nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.GroupNorm(min(32, width), width), nn.ReLU(),
        nn.MaxPool2d(3, 2, 1), *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


class Layer(nn.Module):
    """An encoder layer, normalized before its halves (as a ViT) or behind them (as BERT)."""

    def __init__(self, width, heads, hidden, first):
        super().__init__()
        self.heads, self.first = heads, first
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.perceptron = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def attention(self, x):
        batch, length, width = x.shape
        q, k, v = self.project(x).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))

    def forward(self, x):
        if self.first:
            x = x + self.attention(self.norm1(x))
            return x + self.perceptron(self.norm2(x))
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.perceptron(x))


class Vit(nn.Module):
    def __init__(self, patch=4, layers=6, heads=4, width=256):
        super().__init__()
        self.project = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + (32 // patch) ** 2, width))
        self.layers = nn.Sequential(*[Layer(width, heads, 2 * width, True) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width, 1e-6), nn.Linear(width, 10)

    def forward(self, x):
        rows = self.project(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), rows], 1) + self.positions
        return self.head(self.norm(self.layers(x)[:, 0]))


class Encoder(nn.Module):
    def __init__(self, layers=6, width=384, heads=12, length=128, words=30522):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.positions = nn.Parameter(0.02 * torch.randn(length, width))
        self.norm = nn.LayerNorm(width, 1e-12)
        self.layers = nn.Sequential(*[Layer(width, heads, 4 * width, False) for _ in range(layers)])
        self.head = nn.Linear(width, 10)

    def forward(self, ids):
        return self.head(self.layers(self.norm(self.words(ids) + self.positions))[:, 0])


networks = {
    "lenet5": (lenet5, (64, 1, 28, 28)),
    "resnet18-16": (lambda: resnet18(16), (64, 3, 32, 32)),
    "resnet18": (lambda: resnet18(64), (4, 3, 32, 32)),
    "vit": (Vit, (16, 3, 32, 32)),
    "minilm": (Encoder, (8, 128)),
}
build, shape = networks[config["network"]]
network = build()
if config["network"] == "minilm":
    x = (torch.arange(shape[0] * shape[1]) * 7919 % 30522).view(shape)
else:
    x = torch.rand(shape) - 0.5
y = torch.arange(shape[0]) % 10
names, parameters = zip(*((name, value.detach().clone()) for name, value in network.named_parameters()))
optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate)


def loss_of(*values):
    return F.cross_entropy(torch.func.functional_call(network, dict(zip(names, values)), (x,)), y)


def forward():
    with torch.no_grad():
        F.cross_entropy(network(x), y)


def exact():
    optimizer.zero_grad()
    F.cross_entropy(network(x), y).backward()
    optimizer.step()


def dense():
    """One jvp for each tangent, as vmap does them; attention by products, for its fused kernel has no forward mode."""
    with torch.no_grad(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        tangents = tuple(torch.randn(k, *value.shape) for value in parameters)
        along = lambda *tangent: torch.func.jvp(loss_of, parameters, tangent)[1]
        derivatives = torch.func.vmap(along)(*tangents)
        flat = [tangent.flatten(1) for tangent in tangents]
        coefficients = torch.linalg.solve(sum(rows @ rows.T for rows in flat), derivatives)
        for value, rows in zip(parameters, flat):
            value.sub_((coefficients @ rows).view_as(value), alpha=learning_rate)
    return derivatives, tangents


def check():
    """Of one step, before it changed the parameters."""
    if config["estimator"] != "dense":
        return 0.0
    leaves = [value.clone().requires_grad_() for value in parameters]
    expected = torch.autograd.grad(loss_of(*leaves), leaves)
    derivatives, tangents = dense()
    return relative_error(derivatives, sum((t * g).flatten(1).sum(1) for t, g in zip(tangents, expected)))


step = {"forward": forward, "exact": exact, "dense": dense}[config["estimator"]]
serve(step, f"PyTorch {torch.__version__}", check())
