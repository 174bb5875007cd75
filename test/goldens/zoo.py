"""Tiny versions of well-known networks, exported by PyTorch to zoo/, each with losses, derivatives and the gradient in
float64 beside it.

    python test/goldens/zoo.py [names of files]

A golden holds no numbers that both sides can make: inputs, labels, tangents and the directions on which the gradient
is projected follow each other in one stream of a linear congruential generator. Tangents belong to the initializers
that the file has: their numbers are found among the module's parameters by value, because exporters transpose, split,
join and reorder them. Where the exporter joined BatchNorms with the layers before, PyTorch does the same to the module,
and where it stored equal parameters once or tied ones several times, the module is tied or untied likewise.
"""

import sys

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

import zoo_models as models
import zoo_variety as variety
from onnxruntime.transformers.float16 import convert_float_to_float16

from exporting import dequantized, export, optimized, quantized, remove_metadata, save, single
from golden import FOLDER, Random, write

K, BATCH, PROJECTIONS = 2, 4, 4
ZOO = FOLDER / "zoo"
KIND = "pkg.torch.export.graph_signature.InputSpec.kind"  # whether an initializer is a parameter or a buffer
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
TOKENS = {"tokens": ((models.SEQUENCE,), models.VOCABULARY)}
BERT = {**TOKENS, "segments": ((models.SEQUENCE,), 2), "mask": ((models.SEQUENCE,), 2)}
MASKED = {**TOKENS, "hidden": ((models.SEQUENCE,), 2)}
TABLE = {"numeric": ((4,), None), "categories": ((2,), 5)}
SIGNAL = {"signal": ((2, models.SEQUENCE), None)}
SEQUENCES = {"axes": {"tokens": {0: "batch", 1: "sequence"}}}
SQUARED = {"loss": "mean-squared-error"}
UNFOLDED = {"do_constant_folding": False}
EXTENDED = {"optimized": "extended"}
OPTIMIZED_BERT = {"optimized": "bert 2 8"}
LISTED = {"keep_initializers_as_inputs": True}
UNOPTIMIZED = {"optimize": False}
UNFUSED = {"training": torch.onnx.TrainingMode.PRESERVE}


def image(channels, size):
    return {"image": ((channels, size, size), None)}


def sequence(width):
    return {"sequence": ((models.SEQUENCE, width), None)}


# file name → model, inputs (shape of one example, and for integers the number of values), opset, options. Files with
# "dynamo" in their names come from the exporter built on torch.export, those with "external" keep their tensors beside.
FILES = {
    "resnet-opset17": (models.TinyResNet, image(3, 32), 17, {}),
    "resnet-unfused-opset13": (models.TinyResNet, image(3, 32), 13, UNFUSED),
    "resnet-dynamo18": (models.TinyResNet, image(3, 32), 18, {}),
    "mobilenet-opset17": (models.mobilenet, image(3, 24), 17, {}),
    "mobilenet-external-dynamo20": (models.mobilenet, image(3, 24), 20, {}),
    "efficientnet-external-opset13": (models.efficientnet, image(3, 24), 13, {}),
    "efficientnet-dynamo18": (models.efficientnet, image(3, 24), 18, {}),
    "convnext-opset17": (models.convnext, image(3, 24), 17, {}),
    "convnext-dynamo18": (models.convnext, image(3, 24), 18, {}),
    "vit-opset17": (models.vit, image(3, 12), 17, {}),
    "vit-dynamo18": (models.vit, image(3, 12), 18, {}),
    "vit-external-dynamo23": (models.vit, image(3, 12), 23, {}),
    "gpt-opset17": (models.Gpt, TOKENS, 17, {}),
    "gpt-open-opset17": (models.Gpt, TOKENS, 17, SEQUENCES),
    "gpt-tied-opset17": (models.Gpt, TOKENS, 17, UNFOLDED),
    "gpt-dynamo18": (models.Gpt, TOKENS, 18, {}),
    "gpt-dynamo23": (models.Gpt, TOKENS, 23, {}),
    "bert-opset13": (models.Bert, BERT, 13, {}),
    "bert-dynamo18": (models.Bert, BERT, 18, {}),
    "encoder-opset17": (models.TransformerEncoder, TOKENS, 17, {}),
    "encoder-dynamo18": (models.TransformerEncoder, TOKENS, 18, {}),
    "unet-opset17": (models.UNet, image(2, 8), 17, {}),
    "unet-dynamo18": (models.UNet, image(2, 8), 18, {}),
    "unet-nearest-opset13": (lambda: models.UNet("nearest"), image(2, 8), 13, {}),
    "unet-bilinear-dynamo18": (lambda: models.UNet("bilinear"), image(2, 8), 18, {}),
    "tabular-opset13": (models.Tabular, TABLE, 13, {}),
    "tabular-dynamo18": (models.Tabular, TABLE, 18, {}),
    "lstm-opset17": (lambda: models.Lstm(2, bidirectional=True), TOKENS, 17, {}),
    "lstm-dynamo18": (models.Lstm, TOKENS, 18, {}),
    "gru-opset17": (models.Gru, sequence(3), 17, {}),
    "gru-dynamo18": (models.Gru, sequence(3), 18, {}),
    "swin-unfolded-dynamo18": (models.swin, image(3, 8), 18, UNOPTIMIZED),
    "densenet-opset17": (models.densenet, image(3, 24), 17, {}),
    "shufflenet-dynamo20": (models.shufflenet, image(3, 24), 20, {}),
    "llama-opset17": (models.Llama, TOKENS, 17, {}),
    "llama-dynamo23": (lambda: models.Llama(norm=nn.RMSNorm), TOKENS, 23, {}),
    "convolutions-unfolded-opset13": (models.Convolutions, SIGNAL, 13, UNFOLDED),
    "convolutions-unfolded-dynamo18": (models.Convolutions, SIGNAL, 18, UNOPTIMIZED),
    "superresolution-opset17": (models.SuperResolution, image(1, 6), 17, SQUARED),
    "superresolution-dynamo21": (models.SuperResolution, image(1, 6), 21, SQUARED),
    "adapted-unfolded-opset13": (models.Adapted, sequence(4), 13, UNFOLDED),
    "adapted-unfolded-dynamo18": (models.Adapted, sequence(4), 18, UNOPTIMIZED),
    "fresh-opset17": (models.Fresh, sequence(4), 17, {}),
    "fresh-dynamo18": (models.Fresh, sequence(4), 18, {}),
    "bare-dynamo18": (models.Bare, sequence(4), 18, {}),
    "transformer2d-opset20": (variety.SpatialTransformer, image(2, 6), 20, {}),
    "transformer2d-dynamo20": (variety.SpatialTransformer, image(2, 6), 20, {}),
    "masked-dynamo18": (variety.MaskedEncoder, MASKED, 18, {}),
    "fourier-dynamo18": (variety.FourierMixer, TOKENS, 18, {}),
    "branches-opset17": (variety.Branches, image(2, 9), 17, {}),
    "attention-unfolded-dynamo18": (variety.Attention, sequence(8), 18, UNOPTIMIZED),
    "cells-unfolded-dynamo20": (variety.Cells, sequence(3), 20, UNOPTIMIZED),
    "gpt2-unfolded-dynamo18": (variety.gpt2, TOKENS, 18, UNOPTIMIZED),
    "mamba-unfolded-dynamo20": (variety.mamba, TOKENS, 20, UNOPTIMIZED),
    "bert-optimized-opset17": (models.Bert, BERT, 17, OPTIMIZED_BERT),
    "bert-extended-opset17": (models.Bert, BERT, 17, EXTENDED),
    "gpt-optimized-opset17": (models.Gpt, TOKENS, 17, {"optimized": "gpt2 2 8"}),
    "vit-optimized-opset17": (models.vit, image(3, 12), 17, {"optimized": "vit 2 8"}),
    "llama-optimized-opset17": (models.Llama, TOKENS, 17, {"optimized": "gpt2 2 8"}),
    "encoder-optimized-dynamo18": (models.TransformerEncoder, TOKENS, 18, OPTIMIZED_BERT),
    "resnet-extended-opset17": (models.TinyResNet, image(3, 32), 17, EXTENDED),
    "bert-float16-opset17": (models.Bert, BERT, 17, {"half": "converter"}),
    "gpt-half-dynamo18": (models.Gpt, TOKENS, 18, {"half": "module"}),
    "llama-bfloat16-opset17": (models.Llama, TOKENS, 17, {"half": "bfloat16"}),
    "convnext-float16-opset17": (models.convnext, image(3, 24), 17, {"half": "converter"}),
    "llama-nbits-opset17": (models.Llama, TOKENS, 17, {"quantized": "nbits"}),
    "bert-nbits-opset17": (models.Bert, BERT, 17, {"quantized": "nbits symmetric"}),
    "encoder-rows-opset17": (models.TransformerEncoder, TOKENS, 17, {"quantized": "rows"}),
    "fresh-listed-opset13": (models.Fresh, sequence(4), 13, LISTED),
}


class Stream:
    """Numbers of a linear congruential generator (Numerical Recipes' constants), drawn one after the other."""

    def __init__(self):
        self.state = np.uint32(1)

    def words(self, count):
        powers = np.cumprod(np.full(count, 1664525, np.uint32), dtype=np.uint32)
        sums = np.cumsum(np.concatenate([np.ones(1, np.uint32), powers[:-1]]), dtype=np.uint32)
        words = powers * self.state + sums * np.uint32(1013904223)
        self.state = words[-1]
        return words >> np.uint32(8)

    def uniform(self, *shape):
        """From −1 to 1, in steps that float32 holds."""
        words = self.words(int(np.prod(shape, dtype=int)))
        return torch.from_numpy(words.astype(np.float64) / 2**23 - 1).reshape(shape)

    def integers(self, high, *shape):
        return torch.from_numpy(self.words(int(np.prod(shape))).astype(np.int64) % high).reshape(shape)

    def inputs(self, declared, batch):
        drawn = {}
        for name, (shape, high) in declared.items():
            drawn[name] = self.integers(high, batch, *shape) if high else self.uniform(batch, *shape)
        return drawn


def initialize(module, random):
    """Random parameters that keep activations near 1, and running statistics; no two numbers are equal."""
    scales = {f"{name}.weight" for name, each in module.named_modules() if "Norm" in type(each).__name__}
    unchanged = getattr(module, "unchanged", ())
    with torch.no_grad():
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if not value.is_floating_point() or name.startswith(unchanged):
                continue
            drawn = random.normal(*value.shape).float()
            if "running_var" in name:
                value.copy_(drawn.abs() + 0.5)
            elif name in scales:
                value.copy_(1 + 0.3 * drawn)
            elif value.dim() < 2 or "running_mean" in name:
                value.copy_(0.3 * drawn)
            elif "embedding" in name or "layer_scale" in name:
                value.copy_(drawn)
            else:
                value.copy_(1.5 * drawn / value[0].numel() ** 0.5)
    drawn = [value.detach().flatten() for name, value in module.named_parameters() if not name.startswith(unchanged)]
    numbers = torch.cat(drawn)
    repeated = numbers.numel() - numbers.unique().numel()
    assert repeated == 0, f"{repeated} numbers of {type(module).__name__} are not unique; draw others"


def single_array(initializer):
    """An initializer's numbers; floats of 16 bits in float32."""
    value = numpy_helper.to_array(initializer)
    return value.astype(np.float32) if str(value.dtype) in ("float16", "bfloat16") else value


def fuse(module, model):
    """Joins those BatchNorms with the layers before them whose statistics the file no longer has."""
    stored = [single_array(initializer) for initializer in model.graph.initializer]
    previous, place = None, ""
    for name, each in list(module.named_modules()):
        if isinstance(each, NORMS) and not any(np.array_equal(each.running_mean, value) for value in stored):
            fused = fuse_linear_bn_eval if isinstance(previous, nn.Linear) else fuse_conv_bn_eval
            module.set_submodule(place, fused(previous, each))
            module.set_submodule(name, nn.Identity())
        previous, place = each, name
    # Rounding may differ: the file's numbers count.
    with torch.no_grad():
        for parameter in module.parameters():
            for value in stored:
                if value.shape == parameter.shape and np.allclose(value, parameter, rtol=1e-4, atol=1e-6):
                    parameter.copy_(torch.from_numpy(value.copy()))
    return module


def freeze(module, matrices):
    """Gives parameters the numbers that their quantized ones stand for; the names of those parameters."""
    frozen = set()
    for matrix in map(torch.from_numpy, matrices.values()):
        sizes = [(name, value) for name, value in module.named_parameters() if name not in frozen]
        close = lambda one, other: one.shape == other.shape and (one - other).norm() < 0.2 * other.norm()
        name, value = next((name, value) for name, value in sizes if close(matrix, value) or close(matrix.T, value))
        with torch.no_grad():
            value.copy_(matrix if close(matrix, value) else matrix.T)
        frozen.add(name)
    return frozen


def tie(module):
    """Makes one parameter of those that are equal, as exporters do."""
    owners = {}
    for name, parameter in module.named_parameters():
        first = owners.setdefault((parameter.shape, tuple(parameter.flatten().tolist())), parameter)
        owner, _, attribute = name.rpartition(".")
        if first is not parameter:
            setattr(module.get_submodule(owner), attribute, first)
    return module


def untie(module, model):
    """Gives each owner a parameter of its own where the exporter stored a tied one several times."""
    stored = [single_array(initializer) for initializer in model.graph.initializer]
    owners = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        owners.setdefault(parameter, []).append(name)
    for parameter, (first, *others) in owners.items():
        value = parameter.detach().numpy()
        copies = sum(np.array_equal(each, value) or np.array_equal(each, value.T) for each in stored)
        if others and copies > 1:
            for name in others:
                owner, _, attribute = name.rpartition(".")
                setattr(module.get_submodule(owner), attribute, nn.Parameter(parameter.detach().clone()))
    return module


def find(model, parameters):
    """Initializer → places of its numbers in the parameters, one behind the other; and the other initializers."""
    numbers = np.concatenate([value.numpy().ravel() for value in parameters.values()])
    every, offsets = np.arange(numbers.size), np.cumsum([0, *(value.numel() for value in parameters.values())])
    wholes = [every[a:b].reshape(value.shape) for a, b, value in zip(offsets, offsets[1:], parameters.values())]
    count, found, others = np.zeros(numbers.size, int), {}, []

    def places_of(value):
        for whole in wholes:  # one parameter, perhaps transposed
            for places in [whole, whole.T]:
                if count[places].sum() == 0 and np.array_equal(numbers[places], value):
                    return places
        left = every[count == 0]  # parts of one or of several
        order = left[np.argsort(numbers[left])]
        if value.ndim > 0 and left.size > 0:
            places = order[np.searchsorted(numbers[order], value).clip(max=left.size - 1)]
            if np.array_equal(numbers[places], value):
                return places
        return None

    for initializer in model.graph.initializer:
        value = single_array(initializer)
        if value.dtype != np.float32:
            continue
        places = places_of(value)
        if places is None:
            others.append(initializer.name)
        else:
            np.add.at(count, places, 1)
            found[initializer.name] = torch.from_numpy(places.copy())
    names = np.repeat(list(parameters), np.diff(offsets))
    assert (count == 1).all(), f"stored never: {set(names[count == 0])}, several times: {set(names[count > 1])}"
    return found, others


def golden(name, build, declared, opset, options):
    module = build().eval()
    initialize(module, Random(len(list(module.parameters()))))  # the same numbers for all files of a model
    stream = Stream()
    inputs = stream.inputs(declared, BATCH)
    with torch.no_grad():
        shape = module(*map(single, inputs.values())).shape
    loss, options = options.get("loss", "cross-entropy"), {key: options[key] for key in options if key != "loss"}
    axis = 1 if len(shape) == 4 else len(shape) - 1
    classes = shape[axis] if loss == "cross-entropy" else None
    labels = stream.integers(classes, *shape[:axis], *shape[axis + 1 :]) if classes else stream.uniform(*shape)

    examples = {name: single(values) for name, values in inputs.items()}
    how, half, few = options.get("optimized"), options.get("half"), options.get("quantized")
    options = {key: options[key] for key in options if key not in ("optimized", "half", "quantized")}
    if half:  # what is compared with is float32 of the rounded numbers
        dtype = torch.bfloat16 if half == "bfloat16" else torch.float16
        with torch.no_grad():
            for value in [*module.parameters(), *module.buffers()]:
                if value.is_floating_point():
                    value.copy_(value.to(dtype))
        if half != "converter":
            examples = {name: each.to(dtype) if each.is_floating_point() else each for name, each in examples.items()}
            module = module.to(dtype)
    model = export(module, examples, "logits", opset, "dynamo" in name, **options)
    model = optimized(model, how) if how else model
    model = convert_float_to_float16(model) if half == "converter" else model
    module = module.float()
    model = quantized(model, few) if few else model
    frozen = freeze(module, dequantized(model)) if few else set()
    remove_metadata(model, keep=[KIND])
    model.metadata_props.add(key="task", value="classification")
    if not how and not few:  # it knows no ops of ONNX Runtime
        onnx.checker.check_model(model, full_check=True)
    path = save(ZOO, name, model, external="external" in name, threshold=128)
    for values in [inputs, Stream().inputs(declared, 7)] if half != "bfloat16" else []:  # ONNX Runtime has no kernels
        session = onnxruntime.InferenceSession(path)
        values = {name: single(each) for name, each in values.items()}
        given = {name: each.half() if half and each.is_floating_point() else each for name, each in values.items()}
        (received,) = session.run(["logits"], {name: each.numpy() for name, each in given.items()})
        tolerance = 5e-2 if half else 1e-4
        expected = module(*values.values()).detach().numpy()
        np.testing.assert_allclose(received, expected, rtol=tolerance, atol=tolerance)

    module = untie(tie(fuse(module, model)), model)
    parameters = {source: value.detach() for source, value in module.named_parameters() if source not in frozen}
    found, others = find(model, parameters)
    module, sizes = module.double(), [value.numel() for value in parameters.values()]
    stored = [(name, places) for name, places in found.items()]
    tangents = {name: stream.uniform(K, *places.shape) for name, places in stored}
    directions = {name: stream.uniform(PROJECTIONS, *places.shape) for name, places in stored}

    def split(numbers):
        each = zip(parameters.items(), numbers.split(sizes))
        return {source: values.reshape(value.shape) for (source, value), values in each}

    def losses(values):
        logits = torch.func.functional_call(module, values, tuple(inputs.values()))
        squared = lambda: (logits - labels) ** 2
        positions = F.cross_entropy(logits.movedim(axis, 1), labels, reduction="none") if classes else squared()
        return positions.reshape(BATCH, -1).mean(1)

    def along(index):
        numbers = torch.zeros(sum(sizes), dtype=torch.float64)
        for name, places in stored:
            numbers[places] = tangents[name][index]
        return split(numbers)

    at = split(torch.cat([value.flatten() for value in parameters.values()]).double())
    # Forward mode knows only this way of computing attention.
    with sdpa_kernel(SDPBackend.MATH):
        derivatives = [torch.func.jvp(losses, (at,), (along(index),))[1] for index in range(K)]
    gradient = torch.func.grad(lambda values: losses(values).mean())(at)
    numbers = torch.cat([gradient[source].flatten() for source in parameters])
    projected = {}
    for name, places in stored:
        own = numbers[places]
        projections = [(own * direction).sum().item() for direction in directions[name]]
        projected[name] = {"shape": list(places.shape), "norm": own.norm().item(), "projections": projections}
    described = {name: {"shape": list(inputs[name].shape), "values": high} for name, (_, high) in declared.items()}
    return {
        "opset": opset,
        "inputs": described,
        "labels": {"shape": list(labels.shape), "values": classes},
        "loss": loss,
        "classAxis": axis,
        "losses": losses(at).tolist(),
        "derivatives": [each.tolist() for each in derivatives],
        "gradients": projected,
        "others": others,
    }


onnxruntime.set_default_logger_severity(3)
torch.backends.mha.set_fastpath_enabled(False)  # forward mode does not know it
ZOO.mkdir(exist_ok=True)
for name, arguments in FILES.items():
    if not sys.argv[1:] or name in sys.argv[1:]:
        write(f"zoo/{name}.golden.json", golden(name, *arguments))
