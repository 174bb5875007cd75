"""Writes pictures by Pillow and by a PNG writer of its own (Pillow writes no interlaced pictures), and expected.golden.json
with the pixels that Pillow reads from them: turned as EXIF says, gray where they are gray, otherwise RGB.

Run from the repository root: python3 test/cases/pictures/make.py (made with Pillow 13.0 and libjpeg-turbo 3.2).
"""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

here = Path(__file__).parent
random = np.random.default_rng(11)
expected = {}


def keep(name, data, gray=False):
    (here / name).write_bytes(data)
    picture = Image.open(io.BytesIO(data))
    picture.load()
    stored = np.asarray(pixels(picture, gray))
    upright = np.asarray(pixels(ImageOps.exif_transpose(picture), gray))
    expected[name] = {
        "shape": list(upright.shape),
        "pixels": base64.b64encode(upright.tobytes()).decode(),
        "storedShape": list(stored.shape),
    }


def pixels(picture, gray):
    if picture.mode.startswith("I"):
        return (np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8)
    isGray = gray or picture.mode in ("1", "L", "LA")
    return np.asarray(picture.convert("L" if isGray else "RGB"))


# JPEG

down, across = np.mgrid[0:19, 0:23]
waves = [127 + 110 * np.sin(across / (3 + i) + i) * np.cos(down / (2 + i)) for i in range(4)]
waves = np.stack(waves, -1).astype(np.uint8)
edges = np.stack([255 * ((across // (2 + i) + down // (3 + i)) % 2) for i in range(4)], -1).astype(np.uint8)


def jpeg(array, mode="RGB", **options):
    file = io.BytesIO()
    Image.fromarray(array, mode).save(file, "JPEG", **options)
    return file.getvalue()


def without(data, marker):
    """The file without the segments of a marker."""
    at, out = 2, data[:2]
    while data[at + 1] != 0xDA:
        size = 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        if data[at + 1] != marker:
            out += data[at : at + size]
        at += size
    return out + data[at:]


flat = np.full((9, 10, 3), (200, 30, 60), np.uint8)
keep("rgb-adobe.jpg", jpeg(flat, keep_rgb=True))
keep("rgb-by-name.jpg", without(jpeg(edges[..., :3].copy(), keep_rgb=True), 0xEE))
keep("ycc-jfif.jpg", jpeg(flat))
keep("ycc-bare.jpg", without(jpeg(edges[..., :3].copy(), subsampling="4:4:4"), 0xE0))
keep("420.jpg", jpeg(edges[..., :3].copy(), subsampling="4:2:0"))
keep("422-progressive.jpg", jpeg(edges[..., :3].copy(), subsampling="4:2:2", progressive=True))
keep("420-progressive-restarts.jpg", jpeg(waves[..., :3].copy(), progressive=True, restart_marker_blocks=3))
keep("gray-restarts.jpg", jpeg(edges[..., 0].copy(), "L", restart_marker_blocks=2))
keep("gray-progressive.jpg", jpeg(waves[..., 0].copy(), "L", progressive=True, quality=30))
cmyk = jpeg(waves, "CMYK", quality=90)
keep("cmyk.jpg", cmyk)
keep("cmyk-420.jpg", jpeg(edges, "CMYK", subsampling="4:2:0"))
place = cmyk.index(b"Adobe") + 11
keep("ycck.jpg", cmyk[:place] + b"\2" + cmyk[place + 1 :])
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    keep(f"exif-{orientation}.jpg", jpeg(waves[..., :3].copy(), exif=exif, quality=60))

# PNG

passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples, depth):
    if depth >= 8:
        return samples.astype(f">u{depth // 8}").tobytes()
    bits = "".join(format(sample, f"0{depth}b") for sample in samples)
    return bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))


def png(array, color_type, depth, interlaced, before=b""):
    """With the filter Up in each second row."""
    height, width, channels = array.shape
    lines = b""
    for left, top, x, y in passes if interlaced else [(0, 0, 1, 1)]:
        above = None
        for number, row in enumerate(array[top::y, left::x]):
            if row.size == 0:
                continue
            line = packed(row.reshape(-1), depth)
            isUp = number % 2 == 1
            lines += bytes([2 if isUp else 0])
            lines += bytes((a - b) & 255 for a, b in zip(line, above)) if isUp else line
            above = line
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, int(interlaced))
    data = chunk(b"IDAT", zlib.compress(lines))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + data + chunk(b"IEND", b"")


def samples(channels, depth, size=(9, 11)):
    array = random.integers(0, 2**depth, (*size, channels))
    if channels in (2, 4):
        array[..., -1] = 2**depth - 1
    return array


palette = random.integers(0, 256, 48, dtype=np.uint8).tobytes()
for depth in (1, 2, 4, 8, 16):
    keep(f"gray-{depth}-interlaced.png", png(samples(1, depth), 0, depth, True))
for depth in (1, 2, 4):
    keep(f"palette-{depth}-interlaced.png", png(samples(1, depth), 3, depth, True, chunk(b"PLTE", palette)))
keep("palette-8-trns.png", png(samples(1, 8) % 16, 3, 8, False, chunk(b"PLTE", palette) + chunk(b"tRNS", b"\xff" * 5)))
keep("rgb-8-plte.png", png(samples(3, 8), 2, 8, False, chunk(b"PLTE", palette)))
keep("rgb-16-plte-interlaced.png", png(samples(3, 16), 2, 16, True, chunk(b"PLTE", palette)))
keep("rgba-8-plte.png", png(samples(4, 8), 6, 8, True, chunk(b"PLTE", palette)))
keep("gray-alpha-16.png", png(samples(2, 16), 4, 16, False), gray=True)
unused = samples(3, 8)
unused[..., 1] |= 1
keep("rgb-8-trns-unused.png", png(unused, 2, 8, False, chunk(b"tRNS", struct.pack(">3H", 10, 20, 30))))
keep("gray-2-gamma.png", png(samples(1, 2), 0, 2, False, chunk(b"gAMA", struct.pack(">I", 100000))))
keep("one-pixel-interlaced.png", png(samples(3, 8, (1, 1)), 2, 8, True))
for orientation in (3, 5, 8):
    exif = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    keep(f"exif-{orientation}.png", png(samples(3, 8), 2, 8, False, chunk(b"eXIf", exif)))

# What is refused.
huge = chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0))
(here / "refused-huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + huge + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b""))
tall = bytearray(jpeg(flat))
at = tall.index(b"\xff\xc0") + 5
tall[at : at + 4] = struct.pack(">HH", 65500, 65500)
(here / "refused-huge.jpg").write_bytes(bytes(tall))
clear = unused.copy()
clear[4, 4] = (10, 20, 30)
(here / "refused-clear.png").write_bytes(png(clear, 2, 8, False, chunk(b"tRNS", struct.pack(">3H", 10, 20, 30))))
bomb = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0\1\2\3" + bytes(3_000_000)))
(here / "small-with-a-long-tail.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bomb + chunk(b"IEND", b""))

(here / "expected.golden.json").write_text(json.dumps(expected, indent=1) + "\n")
