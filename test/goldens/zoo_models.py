"""Tiny versions of well-known networks, from torchvision's own classes where they allow such sizes."""

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.densenet import DenseNet
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.models.mobilenetv3 import InvertedResidualConfig, MobileNetV3
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.shufflenetv2 import ShuffleNetV2
from torchvision.models.swin_transformer import SwinTransformer
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
        self.layer1, self.norm1 = nn.Linear(10, 8), nn.BatchNorm1d(8)
        self.layer2, self.norm2 = nn.Linear(8, 6), nn.BatchNorm1d(6)
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


def swin():
    settings = {"patch_size": [2, 2], "embed_dim": 4, "depths": [2, 1], "num_heads": [1, 2], "window_size": [2, 2]}
    return SwinTransformer(**settings, mlp_ratio=2.0, num_classes=3)


def densenet():
    return DenseNet(growth_rate=3, block_config=(2, 1), num_init_features=4, bn_size=2, num_classes=3)


def shufflenet():
    return ShuffleNetV2([1, 1, 1], [4, 8, 8, 12, 12], num_classes=3)


class GroupedHeads(nn.Module):
    """Causal attention with rotary positions, four query heads that share two heads of keys and values."""

    def __init__(self, width):
        super().__init__()
        linear = lambda outputs: nn.Linear(width, outputs, bias=False)
        self.query, self.key, self.value = linear(width), linear(width // 2), linear(width // 2)
        self.output = linear(width)
        self.size = width // 4
        angles = torch.outer(torch.arange(SEQUENCE), 100.0 ** -(torch.arange(0, self.size, 2) / self.size)).repeat(1, 2)
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    def rotate(self, x):
        first, second = x.chunk(2, -1)
        return x * self.cosine + torch.cat([-second, first], -1) * self.sine

    def forward(self, x):
        heads = lambda values: values.unflatten(-1, (-1, self.size)).transpose(1, 2)
        query, key, value = self.rotate(heads(self.query(x))), self.rotate(heads(self.key(x))), heads(self.value(x))
        key, value = key.repeat_interleave(2, 1), value.repeat_interleave(2, 1)
        return self.output(F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2).flatten(2))


class RootMeanSquareNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class GatedBlock(nn.Module):
    def __init__(self, width, norm):
        super().__init__()
        self.norm1, self.attention, self.norm2 = norm(width), GroupedHeads(width), norm(width)
        linear = lambda inputs, outputs: nn.Linear(inputs, outputs, bias=False)
        self.gate, self.up, self.down = linear(width, 12), linear(width, 12), linear(12, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    """A decoder with rotary positions, grouped heads, gates and root mean square norms."""

    def __init__(self, width=16, norm=RootMeanSquareNorm):
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY, width)
        self.blocks = nn.ModuleList(GatedBlock(width, norm) for _ in range(2))
        self.norm, self.head = norm(width), nn.Linear(width, VOCABULARY, bias=False)

    def forward(self, tokens):
        x = self.token_embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Gru(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.classifier = nn.GRU(3, 5, batch_first=True, bidirectional=True), nn.Linear(10, 3)

    def forward(self, sequence):
        return self.classifier(self.gru(sequence)[0][:, -1])


class CausalConvolution(nn.Module):
    """A convolution over the past whose weight is kept as directions and lengths."""

    def __init__(self, inputs, outputs, dilation):
        super().__init__()
        self.direction = nn.Parameter(torch.zeros(outputs, inputs, 3))
        self.length = nn.Parameter(torch.zeros(outputs, 1, 1))
        self.bias, self.dilation = nn.Parameter(torch.zeros(outputs)), dilation

    def forward(self, x):
        weight = self.direction * (self.length / self.direction.norm(dim=(1, 2), keepdim=True))
        return F.conv1d(F.pad(x, (2 * self.dilation, 0)), weight, self.bias, dilation=self.dilation)


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution1, self.convolution2 = CausalConvolution(2, 6, 1), CausalConvolution(6, 6, 2)
        self.norm, self.classifier = nn.GroupNorm(2, 6), nn.Linear(12, 3)

    def forward(self, signal):
        x = F.elu(self.norm(self.convolution1(signal)))
        x = x + F.leaky_relu(self.convolution2(x), 0.1)
        return self.classifier(F.avg_pool1d(x, 3).flatten(1))


class SuperResolution(nn.Module):
    """An image of twice the height and width, by depth to space."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 6, 3, padding=1, padding_mode="reflect"), nn.Conv2d(6, 4, 3, padding=1)
        self.activation, self.normalization = nn.PReLU(6), nn.InstanceNorm2d(6, affine=True)

    def forward(self, image):
        x = self.normalization(self.activation(self.first(image)))
        return F.pixel_shuffle(self.second(x), 2) + F.interpolate(image, scale_factor=2, mode="nearest")


class Bare(nn.Module):
    """Norms without parameters, in whose place an exporter stores ones and zeros."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x):
        y = torch.tanh(self.inner(F.layer_norm(x, (4,))))
        return self.outer(F.layer_norm(y, (6,))).mean(1)


class Fresh(nn.Module):
    """Norms as they begin: exporters merge initializers that are equal."""

    unchanged = ("norm1", "norm2")

    def __init__(self):
        super().__init__()
        self.layer1, self.norm1 = nn.Linear(4, 6), nn.LayerNorm(6)
        self.layer2, self.norm2 = nn.Linear(6, 6), nn.LayerNorm(6)
        self.layer3 = nn.Linear(6, 3)

    def forward(self, sequence):
        x = torch.tanh(self.norm1(self.layer1(sequence.mean(1))))
        return self.layer3(torch.tanh(self.norm2(self.layer2(x))))


class Adapted(nn.Module):
    """A layer with an added product of thin factors, and one whose weight two others share, one of them transposed."""

    def __init__(self):
        super().__init__()
        self.layer1, self.layer2 = nn.Linear(4, 6), nn.Linear(6, 6)
        self.left, self.right = nn.Parameter(torch.zeros(6, 2)), nn.Parameter(torch.zeros(2, 6))
        self.start = nn.Parameter(torch.zeros(1, 1, 4))
        self.gain, self.head = nn.Parameter(torch.zeros(1)), nn.Linear(6, 3)

    def forward(self, sequence):
        x = torch.cat([self.start.expand(sequence.shape[0], -1, -1), sequence], 1)
        x = torch.tanh(self.layer1(x))
        x = x + self.gain * F.linear(x, self.layer2.weight + self.left @ self.right, self.layer2.bias)
        x = torch.tanh(x @ self.layer2.weight)
        return self.head(x[:, 0] + x.amax(1))
