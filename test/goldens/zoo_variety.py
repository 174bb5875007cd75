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


class Attention(nn.Module):
    """nn.MultiheadAttention, whose projections the exporter splits into a list where it does not optimize."""

    def __init__(self):
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, sequence):
        mixed, weights = self.attention(sequence, sequence.tanh(), sequence)
        return self.head(mixed.mean(1)) + weights.mean((1, 2)).unsqueeze(1)


class Cells(nn.Module):
    """nn.LSTMCell and nn.GRUCell, step by step."""

    def __init__(self):
        super().__init__()
        self.lstm, self.gru, self.head = nn.LSTMCell(3, 4), nn.GRUCell(4, 4), nn.Linear(4, 3)

    def forward(self, sequence):
        state = sequence.new_zeros(sequence.shape[0], 4)
        pair = (state, state)
        for place in range(3):
            pair = self.lstm(sequence[:, place], pair)
            state = self.gru(pair[0], state)
        return self.head(state)


class Pretrained(nn.Module):
    """A model of the transformers library with a linear head on the mean of its last states."""

    def __init__(self, model):
        super().__init__()
        self.model, self.head = model, nn.Linear(8, 3)

    def forward(self, tokens):
        return self.head(self.model(tokens, use_cache=False).last_hidden_state.mean(1))


def gpt2():
    from transformers import GPT2Config, GPT2Model

    sizes = {"vocab_size": VOCABULARY, "n_positions": 8, "n_embd": 8, "n_layer": 1, "n_head": 2}
    return Pretrained(GPT2Model(GPT2Config(**sizes, attn_implementation="eager", bos_token_id=0, eos_token_id=0)))


def mamba():
    from transformers import MambaConfig, MambaModel

    sizes = {"vocab_size": VOCABULARY, "hidden_size": 8, "state_size": 3, "num_hidden_layers": 1, "time_step_rank": 2}
    return Pretrained(MambaModel(MambaConfig(**sizes, conv_kernel=3, pad_token_id=0, bos_token_id=0, eos_token_id=0)))
