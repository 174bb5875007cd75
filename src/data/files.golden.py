"""Writes files.golden.json: small files of the formats that src/data reads, with the content they must have.

Run from the repository root: python3 src/data/files.golden.py (needs NumPy, SciPy and Pillow; made with 2.4, 1.17
and 13.0).
"""

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

random = np.random.default_rng(7)


def text(data):
    return base64.b64encode(data).decode()


def content(array):
    return {"shape": list(array.shape), "data": array.ravel().tolist()}


def mat(arrays, **options):
    file = io.BytesIO()
    savemat(file, arrays, **options)
    # The header states the time of writing.
    data = bytearray(file.getvalue())
    data[19:116] = b" " * 97
    return text(bytes(data))


def svhn(count, labels, compressed):
    x = random.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
    y = np.array(labels, dtype=np.uint8)[:, None]
    return {
        "file": mat({"X": x, "y": y}, do_compression=compressed),
        "inputs": text(np.ascontiguousarray(x.transpose(3, 2, 0, 1)).tobytes()),
        "labels": [label % 10 for label in labels],
    }


numbers = {
    "bytes": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "doubles": np.array([[0.5, -1e30, 3.0]]),
    "singles": np.array([[0.25], [7.0]], dtype=np.float32),
    "short": np.array([[-5, 300]], dtype=np.int16),
    "long_name_of_an_array": np.array([[70000]], dtype=np.int32),
}


def columns_first(array):
    return {"shape": list(array.shape), "data": array.ravel(order="F").tolist()}


mats = {
    "svhn": svhn(2, [10, 3], True),
    "svhnTest": svhn(1, [1], False),
    "numbers": {
        "plain": mat(numbers),
        "compressed": mat(numbers, do_compression=True),
        "arrays": {name: columns_first(array) for name, array in numbers.items()},
    },
    "refused": {
        "complex": mat({"z": np.array([[1j]])}),
        "text": mat({"t": "abc"}),
        "cell": mat({"c": np.array([1, "a"], dtype=object)}),
    },
}


def npy(array, version=None, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, **options)
    return text(file.getvalue())


def npz(arrays, compressed):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return text(file.getvalue())


values = [0, 1, 2, 3, 100, 7]
kinds = ["|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8", "|b1"]
arrays = {kind: np.array(values).astype(kind).reshape(2, 3) for kind in kinds}
small = {
    "x_train": random.integers(0, 256, (5, 2, 2), dtype=np.uint8),
    "y_train": np.array([0, 2, 1, 1, 0]),
    "x_test": random.integers(0, 256, (2, 2, 2), dtype=np.uint8),
    "y_test": np.array([2, 0]),
}
numpy_files = {
    "kinds": {kind: {"file": npy(array), **content(array.astype(float))} for kind, array in arrays.items()},
    "version2": npy(arrays["<f4"], (2, 0)),
    "version3": npy(arrays["<f4"], (3, 0)),
    "scalar": npy(np.array(2.5)),
    "vector": npy(np.array([1.5, 2.5], dtype=np.float32)),
    "refused": {
        "fortran": npy(np.asfortranarray(arrays["<f4"])),
        "bigEndian": npy(arrays["<f4"].astype(">f4")),
        "half": npy(arrays["<f4"].astype("<f2")),
        "object": npy(np.array([1, "a"], dtype=object), allow_pickle=True),
        "record": npy(np.zeros(2, dtype=[("a", "<f4")])),
    },
    "npz": {
        "stored": npz(small, False),
        "compressed": npz(small, True),
        "arrays": {name: content(array) for name, array in small.items()},
    },
}

height, width = 9, 13
rows, columns = np.mgrid[0:height, 0:width]
smooth = np.stack([20 * rows + 40, 15 * columns + 30, 10 * (rows + columns) + 20], axis=2).clip(0, 255)
color = Image.fromarray(smooth.astype(np.uint8))
gray = Image.fromarray(smooth[:, :, 0].astype(np.uint8))


def image(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return text(file.getvalue())


def picture(original, kind, shown=None, **options):
    data = image(original, kind, **options)
    opened = shown or Image.open(io.BytesIO(base64.b64decode(data)))
    return {"file": data, **content(np.asarray(opened))}


deep = Image.fromarray((smooth[:, :, 0] * 257).astype(np.uint16))
clear = color.copy()
clear.putalpha(Image.fromarray(np.full((height, width), 128, dtype=np.uint8)))
opaque = color.copy()
opaque.putalpha(255)
opaque_gray = gray.copy()
opaque_gray.putalpha(255)
palette = color.quantize(16)
bits = gray.convert("1")
pictures = {
    "png": {
        "gray": picture(gray, "PNG"),
        "color": picture(color, "PNG"),
        "palette": picture(palette, "PNG", palette.convert("RGB")),
        "deep": picture(deep, "PNG", gray),
        "bits": picture(bits, "PNG", bits.convert("L")),
        "opaque": picture(opaque, "PNG", color),
        "opaqueGray": picture(opaque_gray, "PNG", gray),
    },
    "jpeg": {
        "gray": picture(gray, "JPEG", quality=95),
        "color": picture(color, "JPEG", quality=95, subsampling=0),
        "subsampled": picture(color, "JPEG", quality=95, subsampling=2),
        "progressive": picture(color, "JPEG", quality=95, subsampling=0, progressive=True),
    },
    "refused": {
        "clear": image(clear, "PNG"),
        "cmyk": image(color.convert("CMYK"), "JPEG"),
        "gif": image(color, "GIF"),
        "bmp": image(color, "BMP"),
        "webp": image(color, "WEBP"),
        "tiff": image(color, "TIFF"),
    },
    "resized": [
        content(np.asarray(color.resize((new_width, new_height), Image.Resampling.BILINEAR)))
        for new_height, new_width in [(5, 5), (4, 13), (20, 30), (9, 7), (1, 1)]
    ],
}

target = Path(__file__).with_name("files.golden.json")
golden = {"mat": mats, "numpy": numpy_files, "images": pictures}
lines = ",\n".join(f'  "{name}": {json.dumps(part)}' for name, part in golden.items())
target.write_text("{\n" + lines + "\n}\n")
