"""Exports well-known architectures with small random weights to ONNX, in float32, 16 bits, 8 bits and 4 bits.

    python bench/architectures.py OUT_FOLDER [names of architectures]

Each architecture is the code of transformers, torchvision or timm. Beside the files lies reference.json: the inputs, and for
each file the loss mean(y²) and its derivative along one direction, in float64 by PyTorch, with the numbers that the file
stores: rounded to 16 bits, or dequantized. The direction is a function of the numbers themselves, 0.1 cos 50θ, so it is the
same however an exporter transposes, splits, joins or reorders parameters. bench/architectures.mjs compares.
"""

import contextlib
import io
import json
import re
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.fusion_options import FusionOptions

sys.path.insert(0, str(Path(__file__).parent.parent / "test" / "goldens"))
from exporting import dequantized, export  # noqa: E402

warnings.simplefilter("ignore")
torch.set_num_threads(1)
out = Path(sys.argv[1])
BATCH, TOKENS, VOCABULARY, WIDTH, HEADS = 2, 8, 64, 32, 4

# What configurations of transformers call the sizes of a model; each takes those that it knows.
SMALL = dict(
    vocab_size=VOCABULARY, hidden_size=WIDTH, d_model=WIDTH, n_embd=WIDTH, embedding_size=WIDTH, embedding_dim=WIDTH,
    dim=WIDTH, num_hidden_layers=2, n_layer=2, n_layers=2, num_layers=2, encoder_layers=2, decoder_layers=2,
    num_attention_heads=HEADS, n_head=HEADS, n_heads=HEADS, num_heads=HEADS, encoder_attention_heads=HEADS,
    decoder_attention_heads=HEADS, num_key_value_heads=2, head_dim=8, d_kv=8, intermediate_size=48, ffn_dim=48, d_ff=48,
    hidden_dim=48, encoder_ffn_dim=48, decoder_ffn_dim=48, n_inner=48, max_position_embeddings=32, n_positions=32, n_ctx=32,
    type_vocab_size=2, image_size=32, patch_size=8, num_channels=3, rotary_dim=4, word_embed_proj_dim=WIDTH,
    pad_token_id=0, bos_token_id=1, eos_token_id=2, use_cache=False, output_attentions=False,
)  # fmt: skip


class First(torch.nn.Module):
    """The first tensor of what a model returns."""

    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *given):
        result = self.model(**dict(zip(self.names, given))) if self.names else self.model(*given)
        if isinstance(result, dict) or hasattr(result, "to_tuple"):
            return next(each for each in result.values() if torch.is_tensor(each))
        return result[0] if isinstance(result, (tuple, list)) else result


def ids(high=VOCABULARY):
    return torch.randint(3, high, (BATCH, TOKENS))


def segments():
    return torch.randint(0, 2, (BATCH, TOKENS))


def mask():
    kept = torch.ones(BATCH, TOKENS, dtype=torch.long)
    kept[1, -2:] = 0
    return kept


# What torch.export's exporter would multiply out of parameters, such as projected positions, and store as constants.
FOLDED = {"deberta", "deberta-v2", "t5", "mt5", "t5-encoder", "mpt", "bart", "mbart", "whisper", "layoutlm", "fnet"}
# Norms that scale by 1 + θ, which is what exporters store.
ONE_MORE = re.compile(r"Gemma\d?RMSNorm|LayerNorm1P|HeliumRMSNorm1P")
# Kinds whose token types an exporter would look up itself where they are no input.
SEGMENTED = {"bert", "electra", "albert", "mobilebert", "squeezebert", "convbert", "megatron-bert", "rembert", "ernie", "roformer",
             "nystromformer", "splinter", "xlnet"}  # fmt: skip


def text(family, kind, optimized=None, **changed):
    """An encoder or decoder of transformers that reads tokens and a mask, and types of tokens where it has some."""

    def make():
        from transformers import AutoConfig, AutoModel

        config = AutoConfig.for_model(kind, **{**SMALL, **changed})
        model = AutoModel.from_config(config, attn_implementation="eager")
        types = {"token_type_ids": segments()} if kind in SEGMENTED else {}
        return model, {"input_ids": ids(), "attention_mask": mask(), **types}

    return family, make, optimized


def pictures(family, kind, size=32, **changed):
    """A model of transformers that reads pictures."""

    def make():
        from transformers import AutoConfig, AutoModel

        config = AutoConfig.for_model(kind, **{**SMALL, "image_size": size, **changed})
        model = AutoModel.from_config(config, attn_implementation="eager")
        return model, {"pixel_values": torch.randn(BATCH, 3, size, size)}

    return family, make, "vit" if "transformers" in family else None


def part(family, kind, name, inputs, optimized=None, **changed):
    """A part of a model of transformers, by its class."""

    def make():
        import transformers

        config = transformers.AutoConfig.for_model(kind, **{**SMALL, **changed})
        model = getattr(transformers, name)._from_config(config, attn_implementation="eager")
        return model, inputs()

    return family, make, optimized


def vision(family, name, size=64, **changed):
    """A network of torchvision."""

    def make():
        import torchvision

        model = torchvision.models.get_model(name, weights=None, **{"num_classes": 10, **changed})
        return model, {"": torch.randn(BATCH, 3, size, size)}

    return family, make, None


def images(family, name, size=64, **changed):
    """A network of timm."""

    def make():
        import timm

        fixed = {"img_size": size} if changed.pop("sized", True) else {}
        model = timm.create_model(name, pretrained=False, num_classes=10, **{**fixed, **changed})
        return model, {"": torch.randn(BATCH, 3, size, size)}

    return family, make, None


ENCODER, DECODER, BOTH = "text encoders", "text decoders", "encoders with decoders"
VIT, CNN, MIXER, AUDIO = "vision transformers", "convolutional networks", "mixers and hybrids", "audio"
PIXELS = lambda: {"pixel_values": torch.randn(BATCH, 3, 32, 32)}  # noqa: E731
PAIR = lambda: {"input_ids": ids(), "decoder_input_ids": ids()}  # noqa: E731
UNSIZED = {"sized": False}

ARCHITECTURES = {
    **{
        kind: text(ENCODER, kind, "bert")
        for kind in ["bert", "roberta", "distilbert", "electra", "mpnet", "ernie", "roformer"]
    },
    "albert": text(ENCODER, "albert", "bert"),
    "deberta-v2": text(ENCODER, "deberta-v2", relative_attention=True, pos_att_type=["p2c", "c2p"], max_relative_positions=8),
    "deberta": text(ENCODER, "deberta", relative_attention=True, pos_att_type=["p2c", "c2p"], max_relative_positions=8),
    "mobilebert": text(ENCODER, "mobilebert", true_hidden_size=16, intra_bottleneck_size=16, embedding_size=WIDTH, num_attention_heads=2),
    "squeezebert": text(ENCODER, "squeezebert"),
    "convbert": text(ENCODER, "convbert", conv_kernel_size=3, head_ratio=2),
    "fnet": part(ENCODER, "fnet", "FNetModel", lambda: {"input_ids": ids(), "token_type_ids": segments()}),
    "modernbert": text(ENCODER, "modernbert"),
    "megatron-bert": text(ENCODER, "megatron-bert"),
    "rembert": text(ENCODER, "rembert", input_embedding_size=16, output_embedding_size=16),
    "esm": text(ENCODER, "esm", mask_token_id=4, position_embedding_type="rotary", token_dropout=False),
    "data2vec-text": text(ENCODER, "data2vec-text"),
    "xlnet": text(ENCODER, "xlnet", d_inner=48, d_head=8),
    "splinter": text(ENCODER, "splinter"),
    "nystromformer": text(ENCODER, "nystromformer", num_landmarks=4, conv_kernel_size=3, segment_means_seq_len=8),
    "layoutlm": part(ENCODER, "layoutlm", "LayoutLMModel",
                     lambda: {"input_ids": ids(), "bbox": torch.randint(0, 5, (BATCH, TOKENS, 4)).cumsum(-1), "token_type_ids": segments()},
                     max_2d_position_embeddings=32),
    "clip-text": part(ENCODER, "clip_text_model", "CLIPTextModel", lambda: {"input_ids": ids(), "attention_mask": mask()}),
    "gpt2": text(DECODER, "gpt2", "gpt2"),
    **{
        kind: text(DECODER, kind)
        for kind in ["gpt_neox", "gptj", "opt", "bloom", "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi", "phi3",
                     "stablelm", "olmo", "olmo2", "starcoder2", "cohere", "granite", "codegen", "persimmon", "glm", "biogpt",
                     "xglm", "falcon", "gpt_bigcode", "helium", "smollm3", "openai-gpt", "nemotron", "exaone4", "mpt"]
    },
    "gpt_neo": text(DECODER, "gpt_neo", attention_types=[[["global", "local"], 1]], window_size=4),
    "mamba": part(DECODER, "mamba", "MambaModel", lambda: {"input_ids": ids()}, state_size=4, time_step_rank=4),
    "t5-encoder": part(BOTH, "t5", "T5EncoderModel", lambda: {"input_ids": ids(), "attention_mask": mask()}, "t5"),
    "t5": part(BOTH, "t5", "T5Model", PAIR),
    "mt5": part(BOTH, "mt5", "MT5Model", PAIR, feed_forward_proj="gated-gelu"),
    "bart": part(BOTH, "bart", "BartModel", PAIR, "bart"),
    "mbart": part(BOTH, "mbart", "MBartModel", PAIR),
    "marian": part(BOTH, "marian", "MarianModel", PAIR, decoder_start_token_id=0),
    "pegasus": part(BOTH, "pegasus", "PegasusModel", PAIR),
    "blenderbot": part(BOTH, "blenderbot", "BlenderbotModel", PAIR),
    "m2m_100": part(BOTH, "m2m_100", "M2M100Model", PAIR),
    "whisper": part(AUDIO, "whisper", "WhisperModel",
                    lambda: {"input_features": torch.randn(BATCH, 8, 32), "decoder_input_ids": ids()},
                    num_mel_bins=8, max_source_positions=16, max_target_positions=16),
    "wav2vec2": part(AUDIO, "wav2vec2", "Wav2Vec2Model", lambda: {"input_values": torch.randn(BATCH, 400)},
                     conv_dim=(16, 16), conv_kernel=(10, 3), conv_stride=(5, 2), num_conv_pos_embeddings=4,
                     num_conv_pos_embedding_groups=2, feat_extract_norm="layer", do_stable_layer_norm=True),
    "hubert": part(AUDIO, "hubert", "HubertModel", lambda: {"input_values": torch.randn(BATCH, 400)},
                   conv_dim=(16, 16), conv_kernel=(10, 3), conv_stride=(5, 2), num_conv_pos_embeddings=4,
                   num_conv_pos_embedding_groups=2),
    "audio-spectrogram-transformer": part(AUDIO, "audio-spectrogram-transformer", "ASTModel",
                                          lambda: {"input_values": torch.randn(BATCH, 32, 16)},
                                          max_length=32, num_mel_bins=16, patch_size=8, frequency_stride=8, time_stride=8),
    "vit": pictures(VIT, "vit"),
    "deit": pictures(VIT, "deit"),
    "beit": pictures(VIT, "beit", use_relative_position_bias=True, num_hidden_layers=2),
    "dinov2": pictures(VIT, "dinov2"),
    "swin": pictures(VIT, "swin", embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=2, patch_size=4),
    "swinv2": pictures(VIT, "swinv2", embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=2, patch_size=4),
    "clip-vision": part(VIT, "clip_vision_model", "CLIPVisionModel", PIXELS, "vit"),
    "siglip-vision": part(VIT, "siglip_vision_model", "SiglipVisionModel", PIXELS, "vit"),
    "segformer": pictures(VIT, "segformer", 64, depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 16, 16],
                          num_attention_heads=[1, 2, 2, 2], decoder_hidden_size=16),
    "pvt": pictures(VIT, "pvt", 64, depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 16, 16], num_attention_heads=[1, 2, 2, 2]),
    "mobilevit": pictures(MIXER, "mobilevit", 64, patch_size=2, hidden_sizes=[16, 16, 16], neck_hidden_sizes=[8, 8, 8, 8, 8, 8, 16]),
    "poolformer": pictures(MIXER, "poolformer", 64, depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 16, 16], patch_size=16),
    "convnext": pictures(CNN, "convnext", 64, depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 16, 16], patch_size=4),
    "convnextv2": pictures(CNN, "convnextv2", 64, depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 16, 16], patch_size=4),
    "regnet": pictures(CNN, "regnet", 64, embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], groups_width=8),
    "resnet": pictures(CNN, "resnet", 64, embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1]),
    "levit": pictures(VIT, "levit", 64, hidden_sizes=[16, 16, 16], depths=[1, 1, 1], num_attention_heads=[2, 2, 2], key_dim=[8, 8, 8],
                      patch_size=16, mlp_ratio=[2, 2, 2], attention_ratio=[2, 2, 2]),
    **{
        f"torchvision {name}": vision(CNN, name)
        for name in ["resnet18", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5",
                     "efficientnet_b0", "regnet_y_400mf", "densenet121", "googlenet"]
    },
    "torchvision lraspp": vision(CNN, "lraspp_mobilenet_v3_large", weights_backbone=None),
    **{
        f"timm {name}": images(MIXER, name, size, **sized)
        for name, size, sized in [("mixer_s32_224", 64, {}), ("resmlp_12_224", 64, {}), ("gmlp_ti16_224", 64, {}),
                                  ("convmixer_768_32", 64, UNSIZED), ("poolformerv2_s12", 64, UNSIZED),
                                  ("edgenext_xx_small", 64, UNSIZED), ("mobilevitv2_050", 64, UNSIZED),
                                  ("visformer_tiny", 64, {}), ("efficientformer_l1", 224, UNSIZED)]
    },
    **{
        f"timm {name}": images(VIT, name, size, **sized)
        for name, size, sized in [("vit_tiny_patch16_224", 64, {}), ("cait_xxs24_224", 64, {}), ("xcit_nano_12_p16_224", 64, {}),
                                  ("pit_ti_224", 64, {}), ("tnt_s_legacy_patch16_224", 64, {}), ("crossvit_tiny_240", 64, {}),
                                  ("twins_svt_small", 64, {}), ("eva02_tiny_patch14_224", 56, {}), ("davit_tiny", 64, {})]
    },
    **{
        f"timm {name}": images(CNN, name, 64, **UNSIZED)
        for name in ["ghostnet_050", "dla46_c", "rexnet_100", "hardcorenas_a", "lcnet_050", "tinynet_e", "repvgg_a0",
                     "mobileone_s0", "hgnetv2_b0", "resnest14d", "selecsls42", "fbnetc_100", "starnet_s1", "inception_next_atto"]
    },
}  # fmt: skip


def randomize(module):
    """Numbers that differ: exporters store equal ones once, and a zero hides what it multiplies."""
    for each in list(module.modules()):  # a product of parameters is what exporters store
        for name in list(getattr(each, "parametrizations", {})):
            torch.nn.utils.parametrize.remove_parametrizations(each, name)
    with torch.no_grad():
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if not value.is_floating_point() or "inv_freq" in name:
                continue
            noise = torch.randn_like(value)
            if "running_var" in name:
                value.add_(0.1 * noise.abs())
            elif isinstance(value, torch.nn.Parameter) and value.dim() > 1:
                value.add_(noise * value.std().nan_to_num(0) * 0.3 + 0.01 * noise)
            elif isinstance(value, torch.nn.Parameter) or "running_mean" in name:
                value.add_(0.05 * noise)
    return module


def direction(values):
    return 0.1 * torch.cos(50 * values)


def derived(module, inputs, frozen=()):
    """The loss, its derivative along the direction, and the root of the sum of squares of what each parameter adds to that."""
    wide = module.double()
    shifted = {f"{name}.weight" for name, each in wide.named_modules() if ONE_MORE.search(type(each).__name__)}
    parameters = [(name, value) for name, value in wide.named_parameters() if value.numel() > 1 and name not in frozen]
    for _, value in parameters:
        value.requires_grad_(True)  # tables of angles are parameters that PyTorch does not train
    given = [each.double() if each.is_floating_point() else each for each in inputs]
    loss = wide(*given).square().mean()
    if not parameters:
        return {"loss": float(loss)}
    gradients = torch.autograd.grad(loss, [value for _, value in parameters], allow_unused=True)
    shares = [
        float((gradient * direction(value + 1 if name in shifted else value)).sum())
        for (name, value), gradient in zip(parameters, gradients)
        if gradient is not None
    ]
    return {"loss": float(loss), "derivative": sum(shares), "scale": float(np.linalg.norm(shares))}


def rounded(module):
    """With the numbers of a file in 16 bits."""
    with torch.no_grad():
        for value in [*module.parameters(), *module.buffers()]:
            if value.is_floating_point():
                value.copy_(value.half().to(value.dtype))
    return module


def stored_matrices(model):
    """The numbers that quantized initializers stand for."""
    arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    found = {}
    for name, values in arrays.items():
        base = name.removesuffix("_quantized")
        scale = arrays.get(f"{base}_scale", arrays.get(f"{name}_scale"))
        if base == name or scale is None:
            continue
        zero = arrays.get(f"{base}_zero_point", arrays.get(f"{name}_zero_point", np.zeros((), np.int32)))
        wide = values.astype(np.float64) - zero.astype(np.float64)
        found[name] = (wide * scale.astype(np.float64)).astype(np.float32)
    return found or dequantized(model)


def with_matrices(module, matrices):
    """Gives parameters the numbers that their quantized ones stand for; the names of those parameters."""
    frozen = set()
    parameters = list(module.named_parameters())
    for matrix in (torch.from_numpy(np.array(each)) for each in matrices.values()):
        for name, value in parameters:
            for form in (matrix, matrix.T if matrix.dim() == 2 else matrix):
                if name in frozen or form.shape != value.shape:
                    continue
                if (form - value).norm() < 0.25 * value.norm():
                    with torch.no_grad():
                        value.copy_(form)
                    frozen.add(name)
    return frozen


class Calibration(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter([feeds])

    def get_next(self):
        return next(self.feeds, None)


def architecture(name, family, make, kind):
    folder = out / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)

    def built():
        torch.manual_seed(1)
        model, inputs = make()
        names = list(inputs) if list(inputs) != [""] else []
        module = First(randomize(model).eval(), names)
        return module, {each or "pixels": value for each, value in inputs.items()}

    module, inputs = built()
    arrays = {each: value.numpy() for each, value in inputs.items()}
    results = {"name": name, "family": family, "files": {}, "failed": {}, "inputs": {}}
    for each, value in arrays.items():
        results["inputs"][each] = {"dtype": str(value.dtype), "shape": list(value.shape), "data": value.ravel().tolist()}
    reference = derived(built()[0], inputs.values())
    results["parameters"] = sum(value.numel() for value in module.parameters())

    def attempt(file, write):
        signal.alarm(240)
        try:
            model, expected = write()
            session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            read = {each.name for each in session.get_inputs()}
            session.run(None, {each: value for each, value in arrays.items() if each in read})
            onnx.save(model, folder / f"{file}.onnx")
            results["files"][file] = expected
        except (Exception, SystemExit) as error:  # what an exporter or a tool cannot do is recorded, not hidden
            results["failed"][file] = f"{type(error).__name__}: {error}"[:300]
        finally:
            signal.alarm(0)

    def traced():
        unfused = {"training": torch.onnx.TrainingMode.PRESERVE}
        return export(built()[0], inputs, "output", 17, False, **unfused), reference

    def exported():
        names = {"input_names": list(inputs), "output_names": ["output"]}
        with contextlib.redirect_stdout(io.StringIO()):
            program = torch.onnx.export(built()[0], tuple(inputs.values()), dynamo=True, opset_version=18, optimize=name not in FOLDED, **names)
        return program.model_proto, reference

    attempt("script", traced)
    attempt("dynamo", exported)
    source = next((folder / f"{each}.onnx" for each in ("script", "dynamo") if each in results["files"]), None)
    if source is None:
        return results

    def half():
        model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
        return model, derived(rounded(built()[0]), inputs.values())

    def quantized(model):
        changed, _ = built()
        originals = {each: value.detach().clone() for each, value in changed.named_parameters() if value.dim() > 1}
        frozen = with_matrices(changed, stored_matrices(model))
        if not frozen:
            raise ValueError("the tool quantized nothing")
        for initializer in model.graph.initializer:
            value = torch.from_numpy(np.array(numpy_helper.to_array(initializer)))
            for each in frozen & originals.keys():
                if any(value.shape == form.shape and torch.equal(value, form) for form in (originals[each], originals[each].mT)):
                    raise ValueError(f"the tool quantized {each} where it is used first, and left its other uses as they were")
        return model, derived(changed, inputs.values(), frozen)

    def dynamic():
        quantize_dynamic(source, folder / "int8.onnx")
        return quantized(onnx.load(folder / "int8.onnx"))

    def static():
        products = ["MatMul", "Gemm", "Conv"]
        quantize_static(
            source, folder / "qdq.onnx", Calibration(arrays), quant_format=QuantFormat.QDQ, op_types_to_quantize=products
        )
        return quantized(onnx.load(folder / "qdq.onnx"))

    def four_bits():
        tool = MatMulNBitsQuantizer(onnx.load(source), bits=4, block_size=16, is_symmetric=True, accuracy_level=0)
        tool.process()
        return quantized(tool.model.model)

    def fused():
        settings = FusionOptions(kind)
        settings.use_raw_attention_mask(True)  # others are right for masks of ones followed by zeros alone
        fused = optimizer.optimize_model(
            str(source), kind, num_heads=HEADS, hidden_size=WIDTH, optimization_options=settings, opt_level=0
        )
        return fused.model, reference

    attempt("float16", half)
    attempt("int8", dynamic)
    attempt("qdq", static)
    attempt("q4", four_bits)
    if kind:
        attempt("optimized", fused)
    return results


def interrupt(*_):
    raise TimeoutError("took longer than four minutes")


signal.signal(signal.SIGALRM, interrupt)
out.mkdir(parents=True, exist_ok=True)
for name in sys.argv[2:] or ARCHITECTURES:
    if (out / name.replace(" ", "-") / "reference.json").exists():
        continue
    began = time.time()
    try:
        results = architecture(name, *ARCHITECTURES[name])
    except Exception as error:
        results = {"name": name, "family": ARCHITECTURES[name][0], "files": {}, "failed": {"model": f"{type(error).__name__}: {error}"[:300]}}
    folder = out / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reference.json").write_text(json.dumps(results))
    print(f"{name}: {', '.join(results['files'])}; {time.time() - began:.0f} s; {results['failed'] or ''}", flush=True)
