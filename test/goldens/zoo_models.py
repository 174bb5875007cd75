"""Tiny versions of well-known networks, from torchvision's own classes where they allow such sizes."""

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.models.mobilenetv3 import InvertedResidualConfig, MobileNetV3
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.vision_transformer import VisionTransformer

VOCABULARY, SEQUENCE = 20, 6


class TinyResNet(ResNet):
    """Stages of 4 to 10 channels instead of 64 to 512."""

    def __init__(self):
        self.widths = {64: 4, 128: 6, 256: 8, 512: 10}
        super().__init__(BasicBlock, [1, 1, 1, 1], num_classes=3)
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4)
        self.fc = nn.Linear(10, 3)

    def _make_layer(self, block, planes, *arguments, **options):
        if planes == 64:
            self.inplanes = self.widths[64]
        return super()._make_layer(block, self.widths[planes], *arguments, **options)


def mobilenet():
    block = lambda *setting: InvertedResidualConfig(*setting, dilation=1, width_mult=1)
    settings = [block(8, 3, 8, 8, True, "RE", 2), block(8, 5, 16, 8, True, "HS", 2), block(8, 3, 16, 8, False, "HS", 1)]
    return MobileNetV3(settings, last_channel=16, num_classes=3)


def efficientnet():
    settings = [MBConvConfig(1, 3, 1, 8, 8, 1), MBConvConfig(2, 3, 2, 8, 8, 2), MBConvConfig(2, 5, 2, 8, 8, 1)]
    return EfficientNet(settings, dropout=0.2, num_classes=3, last_channel=16)


def convnext():
    return ConvNeXt([CNBlockConfig(6, 8, 1), CNBlockConfig(8, None, 2)], num_classes=3)


def vit():
    settings = {"image_size": 12, "patch_size": 4, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 12}
    return VisionTransformer(**settings, num_classes=3)


class Heads(nn.Module):
    """Self-attention of two heads: [batch, sequence, width] → the same."""

    def __init__(self, width, causal=False):
        super().__init__()
        self.projection, self.output, self.causal = nn.Linear(width, 3 * width), nn.Linear(width, width), causal

    def forward(self, x):
        batch, length, width = x.shape
        split = lambda values: values.view(batch, length, 2, width // 2).transpose(1, 2)
        query, key, value = map(split, self.projection(x).split(width, 2))
        y = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.output(y.transpose(1, 2).reshape(batch, length, width))


class DecoderBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(width), Heads(width, causal=True), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(approximate="tanh"), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Gpt(nn.Module):
    """A decoder whose output layer is its token embedding: logits [batch, sequence, vocabulary]."""

    def __init__(self, width=8):
        super().__init__()
        self.token_embedding, self.position_embedding = nn.Embedding(VOCABULARY, width), nn.Embedding(SEQUENCE, width)
        self.blocks = nn.ModuleList(DecoderBlock(width) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, VOCABULARY, bias=False)
        self.head.weight = self.token_embedding.weight

    def forward(self, tokens):
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.token_embedding(tokens) + self.position_embedding(positions)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class EncoderLayer(nn.Module):
    """Attention with separate projections and an added mask, written out; normalization after each half."""

    def __init__(self, width):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.output, self.norm1, self.norm2 = nn.Linear(width, width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x, mask):
        heads = lambda values: values.view(values.size(0), values.size(1), 2, -1).permute(0, 2, 1, 3)
        query, key, value = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        scores = query @ key.transpose(-1, -2) / (query.size(-1) ** 0.5) + mask
        y = (scores.softmax(-1) @ value).permute(0, 2, 1, 3).contiguous()
        x = self.norm1(x + self.output(y.view(y.size(0), y.size(1), -1)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Bert(nn.Module):
    """An encoder of tokens, segments and an attention mask of ones and zeros; the first position is classified."""

    def __init__(self, width=8):
        super().__init__()
        self.token_embedding, self.segment_embedding = nn.Embedding(VOCABULARY, width), nn.Embedding(2, width)
        self.position_embedding, self.norm = nn.Embedding(SEQUENCE, width), nn.LayerNorm(width)
        self.register_buffer("positions", torch.arange(SEQUENCE)[None], persistent=False)
        self.layers = nn.ModuleList(EncoderLayer(width) for _ in range(2))
        self.pooler, self.classifier = nn.Linear(width, width), nn.Linear(width, 3)

    def forward(self, tokens, segments, mask):
        positions = self.position_embedding(self.positions[:, : tokens.size(1)])
        x = self.norm(self.token_embedding(tokens) + self.segment_embedding(segments) + positions)
        added = (1.0 - mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layers:
            x = layer(x, added)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


class TransformerEncoder(nn.Module):
    """PyTorch's own encoder layers with a padding mask; the mean of all positions is classified."""

    def __init__(self, width=8):
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY, width)
        self.position_embedding = nn.Parameter(torch.zeros(1, SEQUENCE, width))
        options = {"activation": "gelu", "batch_first": True}
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(width, 2, 12, **options) for _ in range(2))
        self.classifier = nn.Linear(width, 3)

    def forward(self, tokens):
        padding = tokens == 0
        x = self.token_embedding(tokens) + self.position_embedding
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        return self.classifier(x.mean(1))


class DoubleConv(nn.Sequential):
    def __init__(self, inputs, outputs):
        convolution = lambda width: nn.Conv2d(width, outputs, 3, padding=1, bias=False)
        first = [convolution(inputs), nn.BatchNorm2d(outputs), nn.ReLU()]
        super().__init__(*first, convolution(outputs), nn.BatchNorm2d(outputs), nn.ReLU())


class UNet(nn.Module):
    """Two levels with skip connections: logits [batch, classes, height, width]."""

    def __init__(self, upsample="transpose"):
        super().__init__()
        self.down1, self.down2, self.bottom = DoubleConv(2, 4), DoubleConv(4, 6), DoubleConv(6, 8)
        up = lambda inputs, outputs: nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        if upsample != "transpose":
            options = {} if upsample == "nearest" else {"align_corners": False}
            resize = lambda: nn.Upsample(scale_factor=2, mode=upsample, **options)
            up = lambda inputs, outputs: nn.Sequential(resize(), nn.Conv2d(inputs, outputs, 1))
        self.up2, self.joined2, self.up1, self.joined1 = up(8, 6), DoubleConv(12, 6), up(6, 4), DoubleConv(8, 4)
        self.head = nn.Conv2d(4, 3, 1)

    def forward(self, x):
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        x = self.up2(self.bottom(F.max_pool2d(second, 2)))
        x = self.up1(self.joined2(torch.cat([second, x], 1)))
        return self.head(self.joined1(torch.cat([first, x], 1)))


class Tabular(nn.Module):
    """Numeric columns, and categorical ones each with an embedding of its own."""

    def __init__(self):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, 3) for size in (5, 7))
        self.norm0 = nn.BatchNorm1d(4)
        self.layer1, self.norm1, self.layer2, self.norm2 = nn.Linear(10, 8), nn.BatchNorm1d(8), nn.Linear(8, 6), nn.BatchNorm1d(6)
        self.layer3 = nn.Linear(6, 3)

    def forward(self, numeric, categories):
        embedded = [embedding(categories[:, column]) for column, embedding in enumerate(self.embeddings)]
        x = torch.cat([self.norm0(numeric), *embedded], 1)
        x = F.relu(self.norm1(self.layer1(x)))
        return self.layer3(self.norm2(F.relu(self.layer2(x))))


class Lstm(nn.Module):
    """The last states of both directions of the last layer are classified."""

    def __init__(self, layers=1, bidirectional=False):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 5)
        self.lstm = nn.LSTM(5, 6, layers, batch_first=True, bidirectional=bidirectional)
        self.classifier = nn.Linear(12 if bidirectional else 6, 3)

    def forward(self, tokens):
        _, (hidden, _) = self.lstm(self.embedding(tokens))
        last = torch.cat([hidden[-2], hidden[-1]], 1) if self.lstm.bidirectional else hidden[-1]
        return self.classifier(last)
