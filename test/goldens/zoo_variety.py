"""More architectures for zoo.py: constants that exporters fold into stored tensors, grids, Fourier transforms, and choices
that only the shapes make, for which exporters write branches."""

import torch
from torch import nn
from torch.nn import functional as F

from zoo_models import VOCABULARY


class SpatialTransformer(nn.Module):
    """An image resampled by an affine map that depends on it; the places of its grid become a stored tensor."""

    def __init__(self):
        super().__init__()
        self.locate, self.theta = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 6)
        self.features, self.classifier = nn.Conv2d(2, 6, 3), nn.Linear(6, 3)

    def forward(self, image):
        moved = torch.tanh(self.theta(torch.tanh(self.locate(image)).mean((2, 3)))).reshape(-1, 2, 3)
        identity = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], dtype=image.dtype)
        grid = F.affine_grid(identity + 0.1 * moved, list(image.shape), align_corners=False)
        x = F.grid_sample(image, grid, align_corners=False)
        return self.classifier(torch.tanh(self.features(x)).mean((2, 3)))


class MaskedEncoder(nn.Module):
    """Attention with a causal mask, which becomes a stored tensor of zeros and infinities, and one for padding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.cross = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.feed = nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, tokens, hidden):
        x = self.embedding(tokens)
        length = tokens.shape[1]
        causal = torch.triu(torch.full((length, length), float("-inf"), dtype=x.dtype), 1)
        padding = F.pad(hidden[:, 1:] > 0, (1, 0))
        padding = torch.where(padding, float("-inf"), 0.0).to(x.dtype)
        mixed = self.attention(x, x, x, attn_mask=causal, key_padding_mask=padding, need_weights=False)[0]
        x = self.norm1(x + mixed)
        y, weights = self.cross(x[:, :1], x, x, key_padding_mask=padding, need_weights=True)
        x = self.norm2(x[:, :1] + y)
        return self.head((x + self.feed(x)).squeeze(1)) + weights.mean((1, 2)).unsqueeze(1)


class FourierMixer(nn.Module):
    """Tokens mixed by a Fourier transform along both axes, as in FNet."""

    def __init__(self):
        super().__init__()
        self.embedding, self.norm = nn.Embedding(VOCABULARY, 8), nn.LayerNorm(8)
        self.feed, self.head = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, tokens):
        x = self.embedding(tokens)
        mixed = torch.view_as_real(torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2))[..., 0]
        return self.head(F.softplus(self.feed(self.norm(x + mixed))).mean(1))


class Branches(nn.Module):
    """Convolutions side by side, as in Inception. `squeeze` of an open axis and the local response norm become If nodes."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm, self.response = nn.Conv2d(2, 4, 3, 2), nn.BatchNorm2d(4), nn.LocalResponseNorm(3)
        self.wide = nn.Sequential(nn.Conv2d(4, 3, (1, 3), padding=(0, 1)), nn.ReLU(), nn.Conv2d(3, 3, (3, 1), padding=(1, 0)))
        self.average = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.point, self.classifier = nn.Conv2d(4, 3, 1), nn.Linear(6, 3)

    def forward(self, image):
        x = self.response(F.relu(self.norm(self.stem(image))))
        x = torch.cat([self.wide(x), self.point(self.average(x))], 1)
        x = F.max_pool2d(torch.tanh(x), 2, ceil_mode=True).mean(2)
        return self.classifier(x.mean(2, keepdim=True).squeeze(2))
