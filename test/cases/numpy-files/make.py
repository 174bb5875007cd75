"""Writes .npz files as NumPy and people's scripts leave them, and expected.golden.json with what NumPy reads from them.

Run from the repository root: python3 test/cases/numpy-files/make.py (made with NumPy 2.4).
"""

import io
import json
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")
here = Path(__file__).parent
x = np.arange(12, dtype=np.float32).reshape(4, 3)
y = np.array([0, 1, 2, 1])


def with_header(header, data, version=(1, 0)):
    """A .npy file with a header of one's own, which NumPy must read."""
    text = header.encode("utf8" if version[0] == 3 else "latin1")
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    file = b"\x93NUMPY" + bytes(version) + size + text + data
    np.load(io.BytesIO(file))
    return file


def npy(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def archive(name, **files):
    with zipfile.ZipFile(here / name, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, data in files.items():
            packed.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)


labels = npy(y)
headers = {
    "quotes": ('{"descr": "<f4", "fortran_order": False, "shape": (4, 3)}', x, (1, 0)),
    "order": ("{'shape': (4, 3), 'descr': '<f4', 'fortran_order': False}\n", x, (1, 0)),
    "spaces": ("{ 'descr' :'<f8',\n  'fortran_order': False ,'shape':(4,3,) , }  # made by hand", x.astype("<f8"), (1, 0)),
    "python2": ("{'descr': '<f4', 'fortran_order': False, 'shape': (4L, 3L), }        \n", x, (1, 0)),
    "version2": ("{'descr': 'float32', 'fortran_order': False, 'shape': (4, 3), }\n", x, (2, 0)),
    "version3": ("{'descr': '=f4', 'fortran_order': False, 'shape': (0x4, 3), }\n", x, (3, 0)),
    "fortran": ("{'descr': '<f4', 'fortran_order': True, 'shape': (4, 3), }\n", x.T.copy(), (1, 0)),
    "bigendian": ("{'descr': '>i8', 'fortran_order': True, 'shape': (4, 3), }\n", x.T.copy().astype(">i8"), (1, 0)),
}
for name, (header, array, version) in headers.items():
    archive(f"{name}.npz", **{"x.npy": with_header(header, array.tobytes(), version), "y.npy": labels})

wide = np.arange(48, dtype=np.float16).reshape(4, 2, 3, 2)
np.savez_compressed(here / "half-labels.npz", x=wide.astype(np.float16), y=y.astype(np.float16))
np.savez(here / "bool.npz", x=(x % 2 == 0), y=np.array([True, False, True, True]))
np.savez_compressed(here / "fortran4d.npz", x=np.asfortranarray(wide.astype(">f8")), y=y.astype("|u1"))

# What nobody asked for.
np.savez(here / "names.npz", x=x, y=y, names=np.array(["cat", "dog", "emu"]), meta=np.array({"a": 1}, dtype=object),
         records=np.zeros(3, dtype=[("a", "<f4"), ("b", "<i2")]))
archive("readme.npz", **{"x.npy": npy(x), "y.npy": labels, "README.txt": b"by hand", "__MACOSX/._x.npy": b"\0\5\x16\7"})
archive("broken-neighbour.npz", **{"x.npy": npy(x), "y.npy": labels, "z.npy": b"\x93NUMPY\1\0half"})

# What is refused, by name.
np.savez(here / "empty.npz", x=np.zeros((0, 3)), y=np.zeros(0, dtype=np.int64))
np.savez(here / "no-width.npz", x=np.zeros((4, 0), np.float32), y=y)
np.savez(here / "scalar.npz", x=np.float32(3), y=y)
np.savez(here / "record.npz", x=np.zeros(4, dtype=[("height", "<f4"), ("width", "<f4")]), y=y)
np.savez(here / "complex.npz", x=x * 1j, y=y)
np.savez(here / "label.npz", x=x, y=np.array([0, 1, 10**9, 1]))
np.save(here / "plain.npy", x)

# Whole numbers that float32 does not tell apart.
np.savez(here / "times.npz", x=(np.arange(12).reshape(4, 3) + 1_700_000_000_000), y=y)
np.savez(here / "beyond.npz", x=(np.arange(12).reshape(4, 3) + 2**60), y=y)
np.savez(here / "targets.npz", x=x, y=np.array([16777216, 16777217, 0, 5]))

expected = {}
for path in sorted(here.glob("*.npz")):
    with np.load(path, allow_pickle=False) as arrays:
        try:
            read = {name: arrays[name] for name in "xy"}
            expected[path.stem] = {
                name: {"shape": list(array.shape), "data": array.astype(np.float64).ravel(order="C").tolist()}
                for name, array in read.items()
                if array.dtype.fields is None and array.dtype.kind != "c"
            }
        except ValueError:
            pass
(here / "expected.golden.json").write_text(json.dumps(expected, indent=1) + "\n")
