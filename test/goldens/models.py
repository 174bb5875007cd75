"""Losses, directional derivatives and gradients of the image models by PyTorch in float64.

    python test/goldens/models.py

All numbers that go in come from one formula that test/model-goldens.test.ts repeats: number i of a stream is the i-th
output of a 32-bit mixing function. So the files hold results only, and sums over the parameters to tell that both
sides have the same. Each model is written out with `torch.nn.functional`, with tangents added at the activation sites,
and compared with torchvision's own module of the same parameters where there is one.

Small versions have the derivatives of weights and activations and the whole gradient; full-size versions
the loss, the derivatives of weights, and the norm of each parameter's gradient.
"""

import base64
import math

import numpy as np
import torch
import torchvision
from torch.nn import functional as F

from golden import write

K = 4
PARAMETERS, WEIGHT_TANGENTS, SITE_TANGENTS, INPUTS, LABELS = (i << 16 for i in range(5))


def mixed(stream, count):
    """The finalizer of MurmurHash3 applied to stream · 2654435769 + i: 32 bits each."""
    with np.errstate(over="ignore"):
        h = np.arange(count, dtype=np.uint32) + np.uint32(stream * 2654435769 % 2**32)
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x85EBCA6B)
        h ^= h >> np.uint32(13)
        h *= np.uint32(0xC2B2AE35)
        h ^= h >> np.uint32(16)
    return h


def numbers(stream, shape, center, spread):
    """center + spread · u, u uniform in [-1, 1) with 24 bits, rounded to float32."""
    u = (mixed(stream, math.prod(shape)) >> np.uint32(8)).astype(np.float64) * 2.0**-23 - 1
    return torch.from_numpy((center + spread * u).astype(np.float32)).double().reshape(shape)


def first_value(name, shape):
    """Center and spread of a parameter by its name: every unit keeps a variance of about 1."""
    if name.endswith("running_var"):
        return 1.0, 0.5
    if name.endswith("running_mean") or name.endswith("bias") or len(shape) == 3:
        return 0.0, 0.3
    if len(shape) == 1:
        return 1.0, 0.3
    return 0.0, math.sqrt(3 / math.prod(shape[1:]))


def tangents(stream, shape):
    """Variance 1 for each number."""
    return numbers(stream, [K, *shape], 0.0, math.sqrt(3))


class Parameters(dict):
    """The parameters of a model, made when it first asks for them."""

    def __init__(self):
        self.trained = []

    def new(self, name, *shape, trained=True):
        if name not in self:
            self[name] = numbers(PARAMETERS + len(self), shape, *first_value(name, shape))
            if trained:
                self.trained.append(name)
        return self[name]


class Network:
    """A forward pass: `site` marks an activation site and adds the tangent that is injected there."""

    def __init__(self, parameters, injected=None):
        self.parameters, self.injected, self.sites = parameters, injected, []
        self.margins = []

    def site(self, names, value):
        self.sites.append((names, value))
        return value if self.injected is None else value + self.injected[len(self.sites) - 1]

    def pair(self, name, *shape):
        return self.parameters.new(f"{name}.weight", *shape), self.parameters.new(f"{name}.bias", shape[0])

    def linear(self, x, name, width):
        return self.site([f"{name}.weight", f"{name}.bias"], F.linear(x, *self.pair(name, width, x.shape[-1])))

    def conv(self, x, name, channels, kernel, stride=1, padding=0, bias=True):
        shape = [channels, x.shape[1], kernel, kernel]
        if bias:
            weight, shift = self.pair(name, *shape)
        else:
            weight, shift = self.parameters.new(f"{name}.weight", *shape), None
        y = F.conv2d(x, weight, shift, stride, padding)
        return self.site([f"{name}.weight"] + ([f"{name}.bias"] if bias else []), y)

    def layer_norm(self, x, name):
        y = F.layer_norm(x, x.shape[-1:], *self.pair(name, x.shape[-1]), 1e-6)
        return self.site([f"{name}.weight", f"{name}.bias"], y)

    def batch_norm(self, x, name):
        channels = x.shape[1]
        weight, bias = self.pair(name, channels)
        mean = self.parameters.new(f"{name}.running_mean", channels, trained=False)
        variance = self.parameters.new(f"{name}.running_var", channels, trained=False)
        return self.site([f"{name}.weight", f"{name}.bias"], F.batch_norm(x, mean, variance, weight, bias))

    def group_norm(self, x, name, groups):
        return self.site([f"{name}.weight", f"{name}.bias"], F.group_norm(x, groups, *self.pair(name, x.shape[1])))

    def relu(self, x):
        self.margins.append(x.abs().min())
        return F.relu(x)

    def max_pool(self, x, *window):
        y, _ = F.max_pool2d(x, *window, return_indices=True)
        # The distance to the second largest of each window: ties of zeros come from ReLU and have no derivative.
        padded = F.pad(x, [window[2] if len(window) > 2 else 0] * 4, value=-math.inf)
        columns = padded.unfold(2, window[0], window[1]).unfold(3, window[0], window[1]).flatten(4)
        two = columns.topk(2, -1).values
        gap = (two[..., 0] - two[..., 1])[two[..., 0] != 0]
        if gap.numel():
            self.margins.append(gap.min())
        return y


def mlp(net, x, hidden, outputs):
    x = x.flatten(1)
    for index, width in enumerate(hidden):
        x = net.relu(net.linear(x, f"layer{index + 1}", width))
    return net.linear(x, f"layer{len(hidden) + 1}", outputs)


def lenet5(net, x, channels, hidden, outputs, pooling, tanh, padding):
    act = torch.tanh if tanh else net.relu
    pool = (lambda x: net.max_pool(x, 2, 2)) if pooling == "max" else (lambda x: F.avg_pool2d(x, 2))
    x = pool(act(net.conv(x, "conv1", channels[0], 5, padding=padding)))
    x = pool(act(net.conv(x, "conv2", channels[1], 5)))
    x = act(net.linear(x.flatten(1), "fc1", hidden[0]))
    x = act(net.linear(x, "fc2", hidden[1]))
    return net.linear(x, "fc3", outputs)


def convnet(net, x, outputs):
    """Conv3,3,2,1-GELU-AvgPool2--Conv4,3-Tanh-MaxPool3,2,1--F-FC6-ReLU--FC"""
    x = F.avg_pool2d(F.gelu(net.conv(x, "block1.0", 3, 3, 2, 1)), 2)
    x = net.max_pool(torch.tanh(net.conv(x, "block2.0", 4, 3)), 3, 2, 1)
    x = net.relu(net.linear(x.flatten(1), "block3.1", 6))
    return net.linear(x, "block4.0", outputs)


def strided_convnet(net, x, outputs):
    """Conv3,3,2,1-GELU--Conv4,3,2-Tanh--F-FC6-ReLU--FC"""
    x = F.gelu(net.conv(x, "block1.0", 3, 3, 2, 1))
    x = torch.tanh(net.conv(x, "block2.0", 4, 3, 2))
    x = net.relu(net.linear(x.flatten(1), "block3.1", 6))
    return net.linear(x, "block4.0", outputs)


def resnet18(net, x, width, outputs, norm, groups=None):
    normalize = net.batch_norm if norm == "batch" else lambda x, name: net.group_norm(x, name, groups(x.shape[1]))
    x = net.relu(normalize(net.conv(x, "conv1", width, 7, 2, 3, bias=False), "bn1"))
    x = net.max_pool(x, 3, 2, 1)
    for stage in range(4):
        for block in range(2):
            name, channels = f"layer{stage + 1}.{block}", width * 2**stage
            stride = 2 if stage > 0 and block == 0 else 1
            y = net.relu(normalize(net.conv(x, f"{name}.conv1", channels, 3, stride, 1, bias=False), f"{name}.bn1"))
            y = normalize(net.conv(y, f"{name}.conv2", channels, 3, 1, 1, bias=False), f"{name}.bn2")
            if stride != 1:
                x = net.conv(x, f"{name}.downsample.0", channels, 1, stride, bias=False)
                x = normalize(x, f"{name}.downsample.1")
            x = net.relu(y + x)
    return net.linear(x.mean([2, 3]), "fc", outputs)


def patches(x, size):
    b, c, h, w = x.shape
    cut = x.reshape(b, c, h // size, size, w // size, size)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * size * size)


def vit(net, x, patch, layers, heads, width, mlp, outputs):
    new, channels = net.parameters.new, x.shape[1]
    rows = patches(x, patch)
    token = new("class_token", 1, 1, width)
    weight, bias = net.pair("conv_proj", width, channels, patch, patch)
    position = new("encoder.pos_embedding", 1, rows.shape[1] + 1, width)
    embedded = F.linear(rows, weight.flatten(1), bias)
    x = torch.cat([token.expand(len(x), 1, width), embedded], 1) + position
    x = net.site(["class_token", "conv_proj.weight", "conv_proj.bias", "encoder.pos_embedding"], x)
    for layer in range(layers):
        name = f"encoder.layers.encoder_layer_{layer}"
        y = net.layer_norm(x, f"{name}.ln_1")
        names = [f"{name}.self_attention.in_proj_weight", f"{name}.self_attention.in_proj_bias"]
        qkv = net.site(names, F.linear(y, new(names[0], 3 * width, width), new(names[1], 3 * width)))
        split = lambda part: part.unflatten(-1, (heads, -1)).transpose(1, 2)
        q, k, v = (split(part) for part in qkv.chunk(3, -1))
        attention = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(width // heads), -1) @ v
        x = x + net.linear(attention.transpose(1, 2).flatten(2), f"{name}.self_attention.out_proj", width)
        y = F.gelu(net.linear(net.layer_norm(x, f"{name}.ln_2"), f"{name}.mlp.0", mlp))
        x = x + net.linear(y, f"{name}.mlp.3", width)
    return net.linear(net.layer_norm(x[:, 0], "encoder.ln"), "heads.head", outputs)


def mlp_mixer(net, x, patch, layers, width, token_mlp, channel_mlp, outputs):
    rows = patches(x, patch)
    weight, bias = net.pair("stem.proj", width, x.shape[1], patch, patch)
    x = net.site(["stem.proj.weight", "stem.proj.bias"], F.linear(rows, weight.flatten(1), bias))
    perceptron = lambda x, name, hidden: net.linear(
        F.gelu(net.linear(x, f"{name}.fc1", hidden)), f"{name}.fc2", x.shape[-1]
    )
    for layer in range(layers):
        name = f"blocks.{layer}"
        y = net.layer_norm(x, f"{name}.norm1").transpose(1, 2)
        x = x + perceptron(y, f"{name}.mlp_tokens", token_mlp).transpose(1, 2)
        x = x + perceptron(net.layer_norm(x, f"{name}.norm2"), f"{name}.mlp_channels", channel_mlp)
    return net.linear(net.layer_norm(x, "norm").mean(1), "head", outputs)


def torchvision_resnet18(channels, width, outputs, norm_layer=None):
    model = torchvision.models.resnet18(num_classes=outputs, norm_layer=norm_layer)
    if width != 64:
        return None  # torchvision has no thinner one
    model.conv1 = torch.nn.Conv2d(channels, width, 7, 2, 3, bias=False)
    return model


def torchvision_vit(channels, size, patch, layers, heads, width, mlp, outputs):
    model = torchvision.models.VisionTransformer(
        image_size=size, patch_size=patch, num_layers=layers, num_heads=heads, hidden_dim=width, mlp_dim=mlp,
        num_classes=outputs,
    )
    model.conv_proj = torch.nn.Conv2d(channels, width, patch, patch)
    return model


def check_module(module, parameters, x, logits):
    """The module with the same parameters gives the same logits, and has no other parameters."""
    state = {name: value for name, value in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in parameters.items()
    }
    assert [name for name, _ in module.named_parameters()] and {
        name for name, _ in module.named_parameters()
    } == set(parameters.trained)
    module.load_state_dict(parameters, strict=False)
    with torch.no_grad():
        torch.testing.assert_close(module.double().eval()(x), logits, rtol=1e-10, atol=1e-10)


def packed(values):
    """float32, little-endian, in base64."""
    return base64.b64encode(values.detach().numpy().astype("<f4").tobytes()).decode()


def entry(name, model, function, input, outputs, options, batch, module=None, small=True, seed=0):
    x = numbers(INPUTS + seed, [batch, *input], 0.5, 0.5)
    labels = torch.from_numpy((mixed(LABELS + seed, batch) % outputs).astype(np.int64))
    parameters = Parameters()
    first = Network(parameters)
    with torch.no_grad():
        logits = function(first, x)
    margin = min(first.margins, default=torch.tensor(1.0)).item()
    assert not small or margin > 2e-5, f"{name}: {margin:.1e} from a kink; use another seed for the inputs"
    if module:
        check_module(module, parameters, x, logits)
    fixed = {key: value for key, value in parameters.items() if key not in parameters.trained}

    def losses(trained, injected=None):
        current = Parameters()
        current.update(fixed | trained)
        return F.cross_entropy(function(Network(current, injected), x), labels, reduction="none")

    trained = {key: parameters[key] for key in parameters.trained}
    grown = {key: value.clone().requires_grad_() for key, value in trained.items()}
    loss = losses(grown).mean()
    gradients = dict(zip(grown, torch.autograd.grad(loss, list(grown.values()))))
    directions = {
        key: tangents(WEIGHT_TANGENTS + index, value.shape) for index, (key, value) in enumerate(trained.items())
    }

    def along(function, primals, directions):
        each = lambda i: {key: value[i] for key, value in directions.items()}
        return torch.stack([torch.func.jvp(function, (primals,), (each(i),))[1] for i in range(K)])

    weights = along(losses, trained, directions)
    slopes = sum(directions[key].flatten(1) @ gradients[key].flatten() for key in trained)
    torch.testing.assert_close(slopes, weights.mean(1))
    result = {
        "name": name,
        "model": model,
        "input": list(input),
        "outputs": outputs,
        "options": options,
        "batch": batch,
        "seed": seed,
        "k": K,
        # In the order in which they are declared; the sums tell that both sides drew the same numbers.
        "parameters": list(parameters),
        "trained": len(trained),
        "count": sum(value.numel() for value in trained.values()),
        "sum": sum(value.sum() for value in parameters.values()).item(),
        "squares": sum(value.square().sum() for value in parameters.values()).item(),
        "labels": labels.tolist(),
        "loss": loss.item(),
        "losses": losses(trained).tolist(),
        "logits": logits.flatten().tolist(),
        "weightDerivatives": weights.flatten().tolist(),
        "gradientNorms": [gradients[key].norm().item() for key in trained],
    }
    if not small:
        return result
    none = {index: torch.zeros_like(value) for index, (_, value) in enumerate(first.sites)}
    site_tangents = {index: tangents(SITE_TANGENTS + index, value.shape) for index, value in none.items()}
    activations = along(lambda injected: losses(trained, injected), none, site_tangents)
    return result | {
        "sites": [{"parameters": names, "shape": list(value.shape)} for names, value in first.sites],
        "activationDerivatives": activations.flatten().tolist(),
        "gradient": packed(torch.cat([gradients[key].flatten() for key in trained])),
    }


def small(name, model, function, input, options, **more):
    outputs = 3
    return entry(name, model, lambda net, x: function(net, x, outputs), input, outputs, options, 2, **more)


def small_entries():
    yield small("mlp", "mlp", lambda n, x, o: mlp(n, x, [7, 5], o), [1, 3, 4], {"hidden": [7, 5]})
    for pooling, activation in [("max", "relu"), ("average", "tanh")]:
        yield small(
            f"lenet5 {pooling} {activation}", "lenet5",
            lambda n, x, o: lenet5(n, x, [2, 3], [7, 5], o, pooling, activation == "tanh", 2), [2, 12, 12],
            {"channels": [2, 3], "hidden": [7, 5], "pooling": pooling, "activation": activation, "padding": 2},
        )
    yield small("convnet", "convnet", convnet, [2, 16, 16], {"architecture": convnet.__doc__})
    yield small(
        "convnet without pools", "convnet", strided_convnet, [2, 14, 10], {"architecture": strided_convnet.__doc__}
    )
    yield small(
        "resnet18 batch", "resnet18", lambda n, x, o: resnet18(n, x, 2, o, "batch"), [1, 12, 12], {"width": 2}
    )
    yield small(
        "resnet18 group", "resnet18", lambda n, x, o: resnet18(n, x, 2, o, "group", lambda channels: 1), [1, 12, 12],
        {"width": 2, "norm": "group", "groups": 1},
    )
    sizes = {"patch": 4, "layers": 2, "heads": 2, "width": 6, "mlp": 8}
    yield small(
        "vit", "vit", lambda n, x, o: vit(n, x, **sizes, outputs=o), [2, 8, 8], sizes,
        module=torchvision_vit(2, 8, *sizes.values(), 3),
    )
    sizes = {"patch": 4, "layers": 2, "width": 6}
    yield small(
        "mlp-mixer", "mlp-mixer", lambda n, x, o: mlp_mixer(n, x, **sizes, token_mlp=5, channel_mlp=8, outputs=o),
        [2, 8, 8], sizes | {"tokenMlp": 5, "channelMlp": 8},
    )


def full_entries():
    full = lambda name, model, function, input, options={}, module=None: entry(
        f"{name} {input}", model, function, input, 10, options, 2, module=module, small=False
    )
    mnist, cifar = [1, 28, 28], [3, 32, 32]
    yield full("mlp", "mlp", lambda n, x: mlp(n, x, [256, 256], 10), mnist)
    for input, padding in [(mnist, 2), (cifar, 0)]:
        function = lambda n, x, p=padding: lenet5(n, x, [6, 16], [120, 84], 10, "max", False, p)
        yield full("lenet5", "lenet5", function, input)
    for input in [mnist, cifar]:
        function = lambda n, x: resnet18(n, x, 64, 10, "batch")
        yield full("resnet18 batch", "resnet18", function, input, {}, torchvision_resnet18(input[0], 64, 10))
    norm = lambda channels: torch.nn.GroupNorm(32, channels)
    function = lambda n, x: resnet18(n, x, 64, 10, "group", lambda channels: 32)
    module = torchvision_resnet18(3, 64, 10, norm)
    yield full("resnet18 group", "resnet18", function, cifar, {"norm": "group"}, module)
    for input in [mnist, cifar]:
        function = lambda n, x: vit(n, x, 4, 6, 4, 256, 512, 10)
        yield full("vit", "vit", function, input, {}, torchvision_vit(input[0], input[1], 4, 6, 4, 256, 512, 10))
    yield full("mlp-mixer", "mlp-mixer", lambda n, x: mlp_mixer(n, x, 4, 4, 128, 64, 512, 10), mnist)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("models.golden.json", list(small_entries()))
    write("full-models.golden.json", list(full_entries()))
