"""Networks in JAX, of the same sizes as those in bench/networks.mjs, and a compiled step of backpropagation with each."""
from problem import *

import jax
import jax.numpy as jnp
from jax import lax

_key = jax.random.key(7)


def normal(*shape, scale=None):
    global _key
    _key, own = jax.random.split(_key)
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 1
    return (scale or 1 / math.sqrt(fan_in)) * jax.random.normal(own, shape)


def linear(before, after):
    return {"weight": normal(after, before).T, "bias": jnp.zeros(after)}


def norm(width):
    return {"weight": jnp.ones(width), "bias": jnp.zeros(width)}


def apply_linear(p, x):
    return x @ p["weight"] + p["bias"]


def layer_norm(p, x):
    centered = x - x.mean(-1, keepdims=True)
    return centered * lax.rsqrt((centered ** 2).mean(-1, keepdims=True) + 1e-6) * p["weight"] + p["bias"]


# Images have their channels last, which XLA's kernels for CPUs prefer.
def conv(x, kernel, stride, padding):
    sides = [(padding, padding)] * 2
    return lax.conv_general_dilated(x, kernel, (stride, stride), sides, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def kernel(before, after, size):
    return normal(after, before, size, size).transpose(2, 3, 1, 0)


def max_pool(x, size, stride, padding):
    sides = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), sides)


def group_norm(p, x):
    batch, height, width, channels = x.shape
    groups = min(32, channels)
    parts = x.reshape(batch, height, width, groups, channels // groups)
    centered = parts - parts.mean((1, 2, 4), keepdims=True)
    unit = centered * lax.rsqrt((centered ** 2).mean((1, 2, 4), keepdims=True) + 1e-5)
    return unit.reshape(x.shape) * p["weight"] + p["bias"]


def lenet5():
    p = {"conv1": kernel(1, 6, 5), "bias1": jnp.zeros(6), "conv2": kernel(6, 16, 5), "bias2": jnp.zeros(16),
         "fc1": linear(400, 120), "fc2": linear(120, 84), "fc3": linear(84, 10)}

    def run(p, x):
        x = max_pool(jax.nn.relu(conv(x, p["conv1"], 1, 2) + p["bias1"]), 2, 2, 0)
        x = max_pool(jax.nn.relu(conv(x, p["conv2"], 1, 0) + p["bias2"]), 2, 2, 0)
        x = jax.nn.relu(apply_linear(p["fc1"], x.reshape(len(x), -1)))
        return apply_linear(p["fc3"], jax.nn.relu(apply_linear(p["fc2"], x)))

    return p, run


def resnet18(width):
    blocks, strides, before = [], [], width
    for stage in range(4):
        for block in range(2):
            after, stride = width * 2 ** stage, 2 if stage > 0 and block == 0 else 1
            own = {"conv1": kernel(before, after, 3), "bn1": norm(after), "conv2": kernel(after, after, 3), "bn2": norm(after)}
            if stride > 1:
                own |= {"shortcut": kernel(before, after, 1), "bn3": norm(after)}
            blocks.append(own)
            strides.append(stride)
            before = after
    p = {"stem": kernel(3, width, 7), "bn": norm(width), "blocks": blocks, "head": linear(before, 10)}

    def run(p, x):
        x = max_pool(jax.nn.relu(group_norm(p["bn"], conv(x, p["stem"], 2, 3))), 3, 2, 1)
        for own, stride in zip(p["blocks"], strides):
            inner = jax.nn.relu(group_norm(own["bn1"], conv(x, own["conv1"], stride, 1)))
            y = group_norm(own["bn2"], conv(inner, own["conv2"], 1, 1))
            x = jax.nn.relu(y + (group_norm(own["bn3"], conv(x, own["shortcut"], stride, 0)) if stride > 1 else x))
        return apply_linear(p["head"], x.mean((1, 2)))

    return p, run


def layer(width, hidden):
    return {"project": linear(width, 3 * width), "out": linear(width, width), "norm1": norm(width), "norm2": norm(width),
            "inner": linear(width, hidden), "outer": linear(hidden, width)}


def attention(p, x, heads):
    batch, length, width = x.shape
    q, k, v = apply_linear(p["project"], x).reshape(batch, length, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
    weights = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) / math.sqrt(width // heads))
    return apply_linear(p["out"], (weights @ v).transpose(0, 2, 1, 3).reshape(batch, length, width))


def perceptron(p, x):
    return apply_linear(p["outer"], jax.nn.gelu(apply_linear(p["inner"], x), approximate=False))


def vit(patch=4, layers=6, heads=4, width=256):
    count = (32 // patch) ** 2
    p = {"project": linear(3 * patch * patch, width), "token": jnp.zeros((1, 1, width)),
         "positions": normal(1, 1 + count, width, scale=0.02), "layers": [layer(width, 2 * width) for _ in range(layers)],
         "norm": norm(width), "head": linear(width, 10)}

    def run(p, x):
        rows = x.reshape(len(x), 32 // patch, patch, 32 // patch, patch, 3).transpose(0, 1, 3, 2, 4, 5)
        rows = apply_linear(p["project"], rows.reshape(len(x), count, -1))
        x = jnp.concatenate([jnp.broadcast_to(p["token"], (len(x), 1, width)), rows], 1) + p["positions"]
        for own in p["layers"]:
            x = x + attention(own, layer_norm(own["norm1"], x), heads)
            x = x + perceptron(own, layer_norm(own["norm2"], x))
        return apply_linear(p["head"], layer_norm(p["norm"], x[:, 0]))

    return p, run


def encoder(layers=6, width=384, heads=12, length=128, words=30522):
    p = {"words": normal(words, width, scale=0.02), "positions": normal(length, width, scale=0.02), "norm": norm(width),
         "layers": [layer(width, 4 * width) for _ in range(layers)], "head": linear(width, 10)}

    def run(p, ids):
        x = layer_norm(p["norm"], p["words"][ids] + p["positions"])
        for own in p["layers"]:
            x = layer_norm(own["norm1"], x + attention(own, x, heads))
            x = layer_norm(own["norm2"], x + perceptron(own, x))
        return apply_linear(p["head"], x[:, 0])

    return p, run


networks = {
    "lenet5": (lenet5, (64, 28, 28, 1)),
    "resnet18-16": (lambda: resnet18(16), (64, 32, 32, 3)),
    "resnet18": (lambda: resnet18(64), (4, 32, 32, 3)),
    "vit": (vit, (16, 32, 32, 3)),
    "minilm": (encoder, (8, 128)),
}
build, shape = networks[config["network"]]
parameters, run = build()
if config["network"] == "minilm":
    x = jnp.asarray((numpy.arange(math.prod(shape)) * 7919 % 30522).reshape(shape).astype("int32"))
else:
    x = jnp.asarray(numpy.random.default_rng(7).uniform(-0.5, 0.5, shape).astype("float32"))
y = jnp.arange(shape[0]) % 10


def loss_of(parameters):
    scores = run(parameters, x)
    return (jax.nn.logsumexp(scores, axis=1) - jnp.take_along_axis(scores, y[:, None], axis=1)[:, 0]).mean()


def updated(parameters):
    gradients = jax.grad(loss_of)(parameters)
    return jax.tree_util.tree_map(lambda value, gradient: value - learning_rate * gradient, parameters, gradients)


compiled = jax.jit(updated, donate_argnums=0)


def step():
    global parameters
    parameters = jax.block_until_ready(compiled(parameters))


serve(step, f"JAX {jax.__version__}", 0.0)
